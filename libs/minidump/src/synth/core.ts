import type { CpuName, FloatNotes } from '../cpu/cpu.ts';
import { cpus } from '../cpu/cpus.ts';
import {
  align4,
  CLASS_32,
  CLASS_64,
  ET_CORE,
  elf,
  LITTLE_ENDIAN,
  MAGIC,
  noteHeader,
  PN_XNUM,
  ProgramFlag,
  ProgramType,
} from '../elf/elf.ts';
import { concat, viewOf } from '../record.ts';

export interface SyntheticThread {
  readonly tid: number;
  /** By name; others are 0. */
  readonly registers?: Readonly<Record<string, bigint>>;
  readonly float?: FloatNotes;
  /** siginfo_t; 128 bytes of a core of Linux. */
  readonly siginfo?: Uint8Array;
  readonly signal?: number;
}

export interface SyntheticSegment {
  readonly start: bigint;
  /** What was dumped of it. */
  readonly bytes: Uint8Array;
  /** In bytes; as much as was dumped unless given. */
  readonly size?: bigint;
  /** `rw-`, as in /proc/PID/maps; `rw-` unless given. */
  readonly flags?: string;
}

export interface SyntheticCore {
  readonly cpu?: CpuName;
  readonly threads?: readonly SyntheticThread[];
  readonly segments?: readonly SyntheticSegment[];
  readonly files?: readonly {
    readonly start: bigint;
    readonly end: bigint;
    /** In pages of 4096 bytes. */
    readonly page: bigint;
    readonly path: string;
  }[];
  /** Keys and values. */
  readonly auxv?: readonly (readonly [bigint, bigint])[];
  /** Notes that follow the others. */
  readonly notes?: readonly { readonly name: string; readonly type: number; readonly bytes: Uint8Array }[];
  /** `kernel`: headers, notes, memory. `gcore`: the notes last, as gdb has them. `kernel` unless given. */
  readonly layout?: 'kernel' | 'gcore';
  /** Puts the count of program headers where it is when there are more than 65,534. */
  readonly extended?: boolean;
}

/** The bytes of a core with those contents, as the kernel or gdb would lay them out. */
export function synthesizeCore(core: SyntheticCore = {}): Uint8Array<ArrayBuffer> {
  const cpu = cpus.find(({ name }) => name === (core.cpu ?? 'x86_64'));
  if (!cpu) throw new RangeError(`no such processor: ${core.cpu}`);
  const { fileHeader, programHeader, sectionHeader } = elf[cpu.bits];
  const { segments = [], layout = 'kernel', extended = false } = core;
  const notes = concat(notesOf(core, cpu));
  const count = segments.length + 1;
  const memorySize = segments.reduce((size, { bytes }) => size + bytes.length, 0);
  const start = fileHeader.size + count * programHeader.size;
  const notesAt = layout === 'kernel' ? start : start + memorySize;
  let at = layout === 'kernel' ? start + notes.length : start;
  const sectionsAt = start + memorySize + notes.length;
  const headers = [
    programHeader.encode({ type: ProgramType.note, offset: BigInt(notesAt), fileSize: BigInt(notes.length) }),
    ...segments.map(({ start, bytes, size = BigInt(bytes.length), flags = 'rw-' }) => {
      const header = programHeader.encode({
        type: ProgramType.load,
        flags: flagBits(flags),
        offset: BigInt(at),
        address: start,
        fileSize: BigInt(bytes.length),
        memorySize: size,
        align: 1n,
      });
      at += bytes.length;
      return header;
    }),
  ];
  const head = fileHeader.encode({
    magic: MAGIC,
    class: cpu.bits === 64 ? CLASS_64 : CLASS_32,
    data: LITTLE_ENDIAN,
    identVersion: 1,
    type: ET_CORE,
    machine: cpu.machine,
    version: 1,
    programHeadersAt: BigInt(fileHeader.size),
    sectionHeadersAt: extended ? BigInt(sectionsAt) : 0n,
    headerSize: fileHeader.size,
    programHeaderSize: programHeader.size,
    programHeaderCount: extended ? PN_XNUM : count,
    sectionHeaderSize: extended ? sectionHeader.size : 0,
    sectionHeaderCount: extended ? 1 : 0,
  });
  const memory = segments.map(({ bytes }) => bytes);
  return concat([
    head,
    ...headers,
    ...(layout === 'kernel' ? [notes, ...memory] : [...memory, notes]),
    ...(extended ? [sectionHeader.encode({ info: count })] : []),
  ]);
}

/** One note, padded. */
export function note(name: string, type: number, bytes: Uint8Array): Uint8Array {
  const nameSize = name.length + 1;
  const whole = new Uint8Array(noteHeader.size + align4(nameSize) + align4(bytes.length));
  noteHeader.write(viewOf(whole), 0, { nameSize, size: bytes.length, type });
  for (let index = 0; index < name.length; index++) whole[noteHeader.size + index] = name.charCodeAt(index);
  whole.set(bytes, noteHeader.size + align4(nameSize));
  return whole;
}

const FLOAT_NOTES = {
  fpregset: ['CORE', 2],
  prxfpreg: ['LINUX', 0x46e62b7f],
  xstate: ['LINUX', 0x202],
  vfp: ['LINUX', 0x400],
  sve: ['LINUX', 0x405],
} as const satisfies Record<keyof FloatNotes, readonly [string, number]>;

function notesOf(
  { threads = [], files, auxv, notes = [] }: SyntheticCore,
  cpu: (typeof cpus)[number],
): Uint8Array[] {
  const { pair, word } = elf[cpu.bits];
  const [first, ...others] = threads.map((thread) => threadNotes(thread, cpu));
  const ofProcess: Uint8Array[] = [];
  if (auxv)
    ofProcess.push(
      note(
        'CORE',
        6,
        concat([...auxv, [0n, 0n] as const].map(([key, value]) => pair.encode({ key, value }))),
      ),
    );
  if (files) {
    const words = [
      BigInt(files.length),
      4096n,
      ...files.flatMap(({ start, end, page }) => [start, end, page]),
    ];
    const names = new TextEncoder().encode(files.map(({ path }) => `${path}\0`).join(''));
    ofProcess.push(
      note('CORE', 0x46494c45, concat([...words.map((value) => word.encode({ value })), names])),
    );
  }
  const more = notes.map(({ name, type, bytes }) => note(name, type, bytes));
  return [...(first ?? []), ...ofProcess, ...others.flat(), ...more];
}

function threadNotes(thread: SyntheticThread, cpu: (typeof cpus)[number]): Uint8Array[] {
  const { size, pid, registersAt, registers } = cpu.prstatus;
  const { word } = elf[cpu.bits];
  const status = new Uint8Array(size);
  const view = viewOf(status);
  view.setInt32(0, thread.signal ?? 0, true);
  view.setInt16(12, thread.signal ?? 0, true);
  view.setUint32(pid, thread.tid, true);
  for (const [index, name] of registers.entries()) {
    word.write(view, registersAt + index * word.size, { value: thread.registers?.[name] ?? 0n });
  }
  const notes = [note('CORE', 1, status)];
  if (thread.siginfo) notes.push(note('CORE', 0x53494749, thread.siginfo));
  for (const [key, [name, type]] of Object.entries(FLOAT_NOTES)) {
    const bytes = thread.float?.[key as keyof FloatNotes];
    if (bytes) notes.push(note(name, type, bytes));
  }
  return notes;
}

function flagBits(flags: string): number {
  const { read, write, execute } = ProgramFlag;
  return (
    (flags.includes('r') ? read : 0) | (flags.includes('w') ? write : 0) | (flags.includes('x') ? execute : 0)
  );
}
