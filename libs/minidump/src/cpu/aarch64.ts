import { record, viewOf } from '../record.ts';
import { type Cpu, type FloatNotes, registerFields, registersOf, scan, whole } from './cpu.ts';

/** CONTEXT_ARM64 with its control and integer registers. */
const FLAGS = 0x400003;
const FLOATING_POINT = 0x4;

const general = Array.from({ length: 31 }, (_, n) => `x${n}`);
const shown = ['pc', 'sp', ...general, 'cpsr'];

/** CONTEXT of Windows for ARM64: x29 is the frame pointer, x30 the link register. */
const context = record({
  flags: 'u32',
  cpsr: 'u32',
  ...(Object.fromEntries(general.map((name) => [name, 'u64'])) as Record<string, 'u64'>),
  sp: 'u64',
  pc: 'u64',
  vectors: 512,
  fpcr: 'u32',
  fpsr: 'u32',
  breakpointControl: ['u32', 8],
  breakpointValue: ['u64', 8],
  watchpointControl: ['u32', 2],
  watchpointValue: ['u64', 2],
});

/** struct user_sve_header of arch/arm64/include/uapi/asm/ptrace.h. */
const sveHeader = record({
  size: 'u32',
  maxSize: 'u32',
  vl: 'u16',
  maxVl: 'u16',
  flags: 'u16',
  reserved: 'u16',
});
const SVE_REGISTERS = 1;

interface Vectors {
  readonly vectors: Uint8Array;
  readonly fpsr: number;
  readonly fpcr: number;
}

/** struct user_fpsimd_state: 32 vectors of 16 bytes, fpsr, fpcr. */
function fpsimd(bytes: Uint8Array | undefined): Vectors | undefined {
  const state = whole(bytes, 520);
  if (!state) return undefined;
  const view = viewOf(state);
  return {
    vectors: state.subarray(0, 512),
    fpsr: view.getUint32(512, true),
    fpcr: view.getUint32(516, true),
  };
}

/** NT_ARM_SVE: holds either the FPSIMD state or the Z registers, whose low 16 bytes are the V registers. */
function sve(bytes: Uint8Array | undefined): Vectors | undefined {
  if (!bytes || bytes.length < sveHeader.size) return undefined;
  const { vl, flags } = sveHeader.read(viewOf(bytes));
  const state = bytes.subarray(sveHeader.size);
  if ((flags & SVE_REGISTERS) === 0) return fpsimd(state);
  // 32 Z registers, 16 predicates and the first-fault register; then fpsr and fpcr at the next quadword.
  const fpsrAt = Math.ceil((32 * vl + (17 * vl) / 8) / 16) * 16;
  if (vl < 16 || vl % 16 !== 0 || state.length < fpsrAt + 8) return undefined;
  const vectors = new Uint8Array(512);
  for (let n = 0; n < 32; n++) vectors.set(state.subarray(n * vl, n * vl + 16), n * 16);
  const view = viewOf(state);
  return { vectors, fpsr: view.getUint32(fpsrAt, true), fpcr: view.getUint32(fpsrAt + 4, true) };
}

function vectorsOf(float: FloatNotes): Vectors | undefined {
  return fpsimd(float.fpregset) ?? sve(float.sve);
}

/** Offsets in struct ucontext of arch/arm64/include/uapi/asm/ucontext.h and its first record, which is always this one. */
const ucontext = { sp: 432, record: 464, size: 480 };
const FPSIMD_MAGIC = 0x46508001;
const FPSIMD_SIZE = 528;

export const aarch64: Cpu = {
  name: 'aarch64',
  bits: 64,
  machine: 183,
  processor: 12,
  prstatus: { size: 392, pid: 32, registersAt: 112, registers: [...general, 'sp', 'pc', 'cpsr'] },
  redZone: 0,
  sp: 'sp',
  ip: 'pc',
  framePointers: ['x29'],
  context,
  encodeContext(registers, float) {
    const vectors = vectorsOf(float);
    return context.encode({
      ...registerFields(context, registers),
      flags: FLAGS | (vectors ? FLOATING_POINT : 0),
      ...vectors,
    });
  },
  decodeContext: (view) => registersOf(context, view, shown),
  findSignalFrame: (stack, addresses) =>
    scan(stack, { step: 16, frameSize: ucontext.size }, addresses, (at) =>
      stack.getUint32(at + ucontext.record, true) === FPSIMD_MAGIC &&
      stack.getUint32(at + ucontext.record + 4, true) === FPSIMD_SIZE
        ? stack.getBigUint64(at + ucontext.sp, true)
        : undefined,
    ),
};
