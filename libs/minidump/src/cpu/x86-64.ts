import { record, viewOf } from '../record.ts';
import { type Cpu, registerFields, registersOf, scan, whole } from './cpu.ts';

/** CONTEXT_AMD64 with its control, integer and segment registers. */
const FLAGS = 0x100007;
const FLOATING_POINT = 0x8;

/** CONTEXT of Windows for x64, as Breakpad writes it. */
const context = record({
  home: ['u64', 6],
  flags: 'u32',
  mxcsr: 'u32',
  cs: 'u16',
  ds: 'u16',
  es: 'u16',
  fs: 'u16',
  gs: 'u16',
  ss: 'u16',
  eflags: 'u32',
  debug: ['u64', 6],
  rax: 'u64',
  rcx: 'u64',
  rdx: 'u64',
  rbx: 'u64',
  rsp: 'u64',
  rbp: 'u64',
  rsi: 'u64',
  rdi: 'u64',
  r8: 'u64',
  r9: 'u64',
  r10: 'u64',
  r11: 'u64',
  r12: 'u64',
  r13: 'u64',
  r14: 'u64',
  r15: 'u64',
  rip: 'u64',
  fxsave: 512,
  vectors: 416,
  vectorControl: 'u64',
  lastBranch: ['u64', 5],
});

/** struct user_regs_struct of <sys/user.h>. */
const registers =
  'r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs';

const shown = 'rip rsp rbp rax rbx rcx rdx rsi rdi r8 r9 r10 r11 r12 r13 r14 r15 eflags cs ss ds es fs gs';

/** Offsets in struct rt_sigframe of arch/x86/include/asm/sigframe.h; the context follows the return address. */
const frame = { flags: 8, link: 16, rsp: 168, cs: 192, ss: 198, fpstate: 232, size: 240 };
const USER_CS = 0x33;
const USER_SS = 0x2b;

export const x86_64: Cpu = {
  name: 'x86_64',
  bits: 64,
  machine: 62,
  processor: 9,
  prstatus: { size: 336, pid: 32, registersAt: 112, registers: registers.split(' ') },
  redZone: 128,
  sp: 'rsp',
  ip: 'rip',
  framePointers: ['rbp'],
  context,
  encodeContext(registers, float) {
    const fxsave = whole(float.fpregset, 512) ?? whole(float.xstate, 512);
    return context.encode({
      ...registerFields(context, registers),
      flags: FLAGS | (fxsave ? FLOATING_POINT : 0),
      ...(fxsave && { mxcsr: viewOf(fxsave).getUint32(24, true), fxsave }),
    });
  },
  decodeContext: (view) => registersOf(context, view, shown.split(' ')),
  findSignalFrame: (stack, addresses) =>
    scan(stack, { step: 8, frameSize: frame.size }, addresses, (at) => {
      if (stack.getUint16(at + frame.cs, true) !== USER_CS) return undefined;
      if (stack.getUint16(at + frame.ss, true) !== USER_SS) return undefined;
      // UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS and nothing else.
      if (stack.getBigUint64(at + frame.flags, true) > 7n) return undefined;
      const fpstate = stack.getBigUint64(at + frame.fpstate, true);
      return fpstate % 16n === 0n ? stack.getBigUint64(at + frame.rsp, true) : undefined;
    }),
};
