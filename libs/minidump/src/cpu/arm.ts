import { record, viewOf } from '../record.ts';
import { type Cpu, registerFields, registersOf, scan, whole } from './cpu.ts';

/** CONTEXT_ARM with its integer registers, as Breakpad writes it. */
const FLAGS = 0x40000002;
const FLOATING_POINT = 0x4;

const general = [...Array.from({ length: 13 }, (_, n) => `r${n}`), 'sp', 'lr', 'pc'];

/** MDRawContextARM of Breakpad. */
const context = record({
  flags: 'u32',
  ...(Object.fromEntries(general.map((name) => [name, 'u32'])) as Record<string, 'u32'>),
  cpsr: 'u32',
  fpscr: 'u64',
  doubles: 256,
  extra: ['u32', 8],
});

/** Offsets in struct ucontext: flags, link, stack (20 bytes), then struct sigcontext. */
const ucontext = { flags: 0, link: 4, oldMask: 28, sp: 84, pc: 92, cpsr: 96, size: 104 };
const MODE_MASK = 0x1f;
const USER_MODE = 0x10;

export const arm: Cpu = {
  name: 'arm',
  bits: 32,
  machine: 40,
  processor: 5,
  prstatus: { size: 148, pid: 24, registersAt: 72, registers: [...general, 'cpsr', 'orig_r0'] },
  redZone: 0,
  sp: 'sp',
  ip: 'pc',
  // Of ARM and of Thumb code.
  framePointers: ['r11', 'r7'],
  context,
  encodeContext(registers, float) {
    const vfp = whole(float.vfp, 260);
    return context.encode({
      ...registerFields(context, registers),
      flags: FLAGS | (vfp ? FLOATING_POINT : 0),
      ...(vfp && { doubles: vfp.subarray(0, 256), fpscr: BigInt(viewOf(vfp).getUint32(256, true)) }),
    });
  },
  decodeContext: (view) => registersOf(context, view, ['pc', 'sp', 'lr', ...general.slice(0, 13), 'cpsr']),
  findSignalFrame: (stack, addresses) =>
    scan(stack, { step: 4, frameSize: ucontext.size }, addresses, (at) => {
      // Flags are 0, or the magic number of very old kernels; the processor was in user mode with sane flags.
      if (stack.getUint32(at + ucontext.flags, true) !== 0) return undefined;
      if (stack.getUint32(at + ucontext.link, true) !== 0) return undefined;
      const cpsr = stack.getUint32(at + ucontext.cpsr, true);
      if ((cpsr & MODE_MASK) !== USER_MODE || (cpsr & 0x07000000) !== 0) return undefined;
      const sp = stack.getUint32(at + ucontext.sp, true);
      const pc = stack.getUint32(at + ucontext.pc, true);
      return sp % 4 === 0 && addresses.executable(BigInt(pc)) ? BigInt(sp) : undefined;
    }),
};
