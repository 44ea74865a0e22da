import type { Fields, RecordType } from '../record.ts';

export type CpuName = 'x86_64' | 'i386' | 'aarch64' | 'arm' | 'riscv64';

/** The floating-point and vector notes of one thread, as the core has them; undefined where it has none. */
export interface FloatNotes {
  /** NT_PRFPREG */
  readonly fpregset?: Uint8Array | undefined;
  /** NT_PRXFPREG of i386 */
  readonly prxfpreg?: Uint8Array | undefined;
  /** The first 512 bytes of NT_X86_XSTATE: the legacy region, which is an FXSAVE area. */
  readonly xstate?: Uint8Array | undefined;
  /** NT_ARM_VFP */
  readonly vfp?: Uint8Array | undefined;
  /** NT_ARM_SVE */
  readonly sve?: Uint8Array | undefined;
}

/** A stack pointer that a signal interrupted, and where the frame that remembers it begins on the signal's stack. */
export interface SignalFrame {
  readonly offset: number;
  readonly sp: bigint;
}

/** What is different from one processor to the next. */
export interface Cpu {
  readonly name: CpuName;
  /** 32 or 64: the class of the ELF file, and the width of a pointer. */
  readonly bits: 32 | 64;
  /** `e_machine` */
  readonly machine: number;
  /** `processor` of the system info stream. */
  readonly processor: number;
  /** Where NT_PRSTATUS has the thread id and the registers, and the names of these in its order. */
  readonly prstatus: {
    readonly size: number;
    readonly pid: number;
    readonly registersAt: number;
    readonly registers: readonly string[];
  };
  /** Bytes below the stack pointer that a function may use. */
  readonly redZone: number;
  readonly sp: string;
  readonly ip: string;
  /** Those in which compilers keep the frame pointer. */
  readonly framePointers: readonly string[];
  /** The context record of a minidump. */
  readonly context: RecordType<Fields>;
  /** A thread's context of its registers (see {@link Cpu.prstatus}) and floating-point notes. */
  encodeContext(registers: Registers, float: FloatNotes): Uint8Array;
  /** The integer registers of a context, by name, in the order in which people read them. */
  decodeContext(context: DataView): Registers;
  /** The first signal frame on a stack, which begins at an aligned address. */
  findSignalFrame(stack: DataView, addresses: Addresses): SignalFrame | undefined;
}

/** What a process may do with an address; by this a real frame is told from bytes that look like one. */
export interface Addresses {
  writable(address: bigint): boolean;
  executable(address: bigint): boolean;
}

/** Registers by name. Those of 32 bits are bigints, too. */
export type Registers = ReadonlyMap<string, bigint>;

/** The bytes of a note, as long as it must be; undefined when the core has it not, or shorter. */
export function whole(bytes: Uint8Array | undefined, size: number): Uint8Array | undefined {
  return bytes !== undefined && bytes.length >= size ? bytes.subarray(0, size) : undefined;
}

/** The values of the fields of a record that are registers, as numbers or bigints as the record wants them. */
export function registerFields(type: RecordType<Fields>, registers: Registers): Record<string, never> {
  const values: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(type.fields)) {
    const value = registers.get(name);
    if (value === undefined) continue;
    const bits = field === 'u16' ? 16 : field === 'u64' ? 64 : 32;
    const cut = BigInt.asUintN(bits, value);
    values[name] = field === 'u64' || field === 'w32' ? cut : Number(cut);
  }
  return values as Record<string, never>;
}

/** The other way round: those fields of a record by name. */
export function registersOf(
  type: RecordType<Fields>,
  context: DataView,
  names: readonly string[],
): Registers {
  const values = type.read(context) as Record<string, number | bigint>;
  return new Map(names.map((name) => [name, BigInt(values[name] as number | bigint)]));
}

/** The first place, in steps of so many bytes, where `matches` tells the stack pointer that was interrupted. */
export function scan(
  stack: DataView,
  { step, frameSize }: { step: number; frameSize: number },
  addresses: Addresses,
  matches: (at: number) => bigint | undefined,
): SignalFrame | undefined {
  for (let offset = 0; offset + frameSize <= stack.byteLength; offset += step) {
    const sp = matches(offset);
    if (sp !== undefined && addresses.writable(sp)) return { offset, sp };
  }
  return undefined;
}
