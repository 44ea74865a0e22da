import { record, viewOf } from '../record.ts';
import { type Cpu, registerFields, registersOf, scan, whole } from './cpu.ts';

/** MD_CONTEXT_RISCV64 with its integer registers. */
const FLAGS = 0x8000001;
const FLOATING_POINT = 0x2;
const VERSION = 1;

const integer =
  'pc ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6'.split(
    ' ',
  );

/** MDRawContextRISCV64 of Breakpad. */
const context = record({
  flags: 'u32',
  version: 'u32',
  ...(Object.fromEntries(integer.map((name) => [name, 'u64'])) as Record<string, 'u64'>),
  doubles: 256,
  fcsr: 'u32',
  padding: 'u32',
});

/** Offsets in struct ucontext of arch/riscv: flags, link, stack, signal mask with its reserve, then the registers. */
const ucontext = { flags: 0, link: 8, pc: 176, sp: 192, size: 432 };

export const riscv64: Cpu = {
  name: 'riscv64',
  bits: 64,
  machine: 243,
  processor: 0x8006,
  prstatus: { size: 376, pid: 32, registersAt: 112, registers: integer },
  redZone: 0,
  sp: 'sp',
  ip: 'pc',
  framePointers: ['s0'],
  context,
  encodeContext(registers, float) {
    const fpregset = whole(float.fpregset, 260);
    return context.encode({
      ...registerFields(context, registers),
      flags: FLAGS | (fpregset ? FLOATING_POINT : 0),
      version: VERSION,
      ...(fpregset && { doubles: fpregset.subarray(0, 256), fcsr: viewOf(fpregset).getUint32(256, true) }),
    });
  },
  decodeContext: (view) => registersOf(context, view, integer),
  findSignalFrame: (stack, addresses) =>
    scan(stack, { step: 16, frameSize: ucontext.size }, addresses, (at) => {
      if (stack.getBigUint64(at + ucontext.flags, true) !== 0n) return undefined;
      if (stack.getBigUint64(at + ucontext.link, true) !== 0n) return undefined;
      const sp = stack.getBigUint64(at + ucontext.sp, true);
      const pc = stack.getBigUint64(at + ucontext.pc, true);
      return sp % 16n === 0n && addresses.executable(pc) ? sp : undefined;
    }),
};
