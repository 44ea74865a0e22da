import { record } from '../record.ts';
import { type Cpu, registerFields, registersOf, scan, whole } from './cpu.ts';

/** CONTEXT_X86 with its control, integer and segment registers. */
const FLAGS = 0x10007;
const FLOATING_POINT = 0x8;
const EXTENDED = 0x20;

/** CONTEXT of Windows for x86. */
const context = record({
  flags: 'u32',
  debug: ['u32', 6],
  /** struct user_fpregs_struct (108 bytes), then the Cr0 of Windows. */
  floatSave: 112,
  gs: 'u32',
  fs: 'u32',
  es: 'u32',
  ds: 'u32',
  edi: 'u32',
  esi: 'u32',
  ebx: 'u32',
  edx: 'u32',
  ecx: 'u32',
  eax: 'u32',
  ebp: 'u32',
  eip: 'u32',
  cs: 'u32',
  eflags: 'u32',
  esp: 'u32',
  ss: 'u32',
  /** An FXSAVE area. */
  extended: 512,
});

/** struct user_regs_struct of <sys/user.h> for 32 bits. */
const registers = 'ebx ecx edx esi edi ebp eax ds es fs gs orig_eax eip cs eflags esp ss';
const shown = 'eip esp ebp eax ebx ecx edx esi edi eflags cs ss ds es fs gs';

/** Offsets in struct sigcontext_32, wherever a frame (with siginfo or without) has it. */
const sigcontext = { esp: 28, cs: 60, espAtSignal: 68, ss: 72, size: 88 };
/** Of a 64-bit kernel, of a 32-bit one. */
const USER_CS = [0x23, 0x73];
const USER_SS = [0x2b, 0x7b];

export const i386: Cpu = {
  name: 'i386',
  bits: 32,
  machine: 3,
  processor: 0,
  prstatus: { size: 144, pid: 24, registersAt: 72, registers: registers.split(' ') },
  redZone: 0,
  sp: 'esp',
  ip: 'eip',
  framePointers: ['ebp'],
  context,
  encodeContext(registers, float) {
    const floatSave = whole(float.fpregset, 108);
    const extended = whole(float.prxfpreg, 512) ?? whole(float.xstate, 512);
    return context.encode({
      ...registerFields(context, registers),
      flags: FLAGS | (floatSave ? FLOATING_POINT : 0) | (extended ? EXTENDED : 0),
      ...(floatSave && { floatSave }),
      ...(extended && { extended }),
    });
  },
  decodeContext: (view) => registersOf(context, view, shown.split(' ')),
  findSignalFrame: (stack, addresses) =>
    scan(stack, { step: 4, frameSize: sigcontext.size }, addresses, (at) => {
      if (!USER_CS.includes(stack.getUint32(at + sigcontext.cs, true) & 0xffff)) return undefined;
      if (!USER_SS.includes(stack.getUint32(at + sigcontext.ss, true) & 0xffff)) return undefined;
      const esp = stack.getUint32(at + sigcontext.esp, true);
      // The kernel writes the same value twice.
      return esp === stack.getUint32(at + sigcontext.espAtSignal, true) ? BigInt(esp) : undefined;
    }),
};
