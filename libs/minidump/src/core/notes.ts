import type { Cpu } from '../cpu/cpu.ts';
import { align4, noteHeader } from '../elf/elf.ts';
import type { SoftErrors } from '../errors.ts';
import { viewOf } from '../record.ts';
import { type FileMapping, fileMappingsOf } from './file-mapping.ts';
import { type ProcessInfo, processInfoOf } from './process-info.ts';
import { Forward, type Reading } from './reading.ts';
import { signalOf } from './signal.ts';
import { CoreThread } from './thread.ts';

/** What the notes of a core tell. */
export interface CoreNotes {
  /** In the core's order: Linux and gdb write the one that crashed first. */
  readonly threads: CoreThread[];
  readonly process: ProcessInfo | undefined;
  /** NT_AUXV as it is. */
  readonly auxv: Uint8Array | undefined;
  /** NT_FILE; undefined where there is none, as from qemu-user. */
  readonly files: FileMapping[] | undefined;
}

/** More threads are not read. */
export const MAX_THREADS = 1 << 16;
const MAX_NAME = 256;

/** Notes that are known: how many bytes of them are of use, and what is done with them. */
interface KnownNote {
  readonly most: number;
  readonly least?: number;
  readonly use: (bytes: Uint8Array, to: NoteCollector) => void;
}

/** Note types of elf.h, by the name of their owner. */
const Note = {
  prstatus: 'CORE 1',
  fpregset: 'CORE 2',
  prpsinfo: 'CORE 3',
  auxv: 'CORE 6',
  siginfo: `CORE ${0x53494749}`,
  file: `CORE ${0x46494c45}`,
  prxfpreg: `LINUX ${0x46e62b7f}`,
  xstate: `LINUX ${0x202}`,
  vfp: `LINUX ${0x400}`,
  sve: `LINUX ${0x405}`,
} as const;

const float = (key: keyof CoreThread['float'], most: number): KnownNote => ({
  most,
  use: (bytes, { thread }) => {
    if (thread) thread.float[key] = bytes.slice();
  },
});

const known: Readonly<Record<string, KnownNote>> = {
  [Note.prstatus]: { most: 1024, use: (bytes, to) => to.addThread(bytes) },
  [Note.fpregset]: float('fpregset', 1024),
  [Note.prpsinfo]: {
    most: 256,
    use: (bytes, to) => {
      to.process = processInfoOf(bytes) ?? to.process;
    },
  },
  [Note.auxv]: {
    most: 1 << 14,
    use: (bytes, to) => {
      to.auxv = bytes.slice();
    },
  },
  [Note.siginfo]: { most: 256, use: (bytes, to) => to.addSignal(bytes) },
  // Linux writes at most 4 MiB unless told otherwise.
  [Note.file]: { most: 1 << 24, use: (bytes, to) => to.addFiles(bytes) },
  [Note.prxfpreg]: float('prxfpreg', 512),
  [Note.xstate]: float('xstate', 512),
  [Note.vfp]: float('vfp', 260),
  [Note.sve]: float('sve', 16 + 32 * 256 + 17 * 32 + 32),
};

/** Notes whose meaning is known and that a minidump has no place for. */
const unused = new Set([
  ...['CORE 4', 'CORE 20', 'LINUX 512', 'LINUX 513', 'LINUX 515', 'LINUX 516', 'LINUX 517', 'GDB 4278190080'],
  ...Array.from({ length: 32 }, (_, n) => `LINUX ${0x401 + n}`).filter((key) => key !== Note.sve),
  ...Array.from({ length: 4 }, (_, n) => `LINUX ${0x900 + n}`),
]);

class NoteCollector implements CoreNotes {
  readonly threads: CoreThread[] = [];
  process: ProcessInfo | undefined;
  auxv: Uint8Array | undefined;
  files: FileMapping[] | undefined;
  /** Whose notes are being read. */
  thread: CoreThread | undefined;
  readonly unknown = new Map<string, number>();
  readonly #cpu: Cpu;
  readonly #errors: SoftErrors;
  readonly #tids = new Set<number>();

  constructor(cpu: Cpu, errors: SoftErrors) {
    this.#cpu = cpu;
    this.#errors = errors;
  }

  addThread(prstatus: Uint8Array): void {
    this.thread = undefined;
    const { size } = this.#cpu.prstatus;
    const thread = CoreThread.of(this.#cpu, prstatus);
    if (!thread || prstatus.length < size) {
      const problem = `NT_PRSTATUS has ${prstatus.length} bytes, expected ${size}`;
      this.#errors.add('NOTE_MALFORMED', thread ? `${problem}: the last registers are missing` : problem);
    }
    if (!thread) return;
    if (this.#tids.has(thread.tid)) {
      this.#errors.add('THREAD_TWICE', `thread ${thread.tid} is in the core twice; the first one counts`);
      return;
    }
    if (this.threads.length >= MAX_THREADS) {
      this.#errors.add('THREADS_LEFT_OUT', `the core has more than ${MAX_THREADS} threads`);
      return;
    }
    this.thread = thread;
    this.#tids.add(thread.tid);
    this.threads.push(thread);
  }

  addSignal(siginfo: Uint8Array): void {
    const signal = signalOf(siginfo, this.#cpu.bits);
    if (!signal) this.#errors.add('NOTE_MALFORMED', `NT_SIGINFO has ${siginfo.length} bytes`);
    // gdb writes the notes of the process behind those of its first thread, too.
    else if (this.thread) this.thread.signal = signal;
  }

  addFiles(bytes: Uint8Array): void {
    this.files = fileMappingsOf(bytes, this.#cpu.bits, this.#errors);
  }
}

/**
 * Reads all notes of a core. Notes that are not known, or malformed, are passed over and recorded; where the notes are cut
 * off, what was read counts.
 */
export function* readNotes(
  cpu: Cpu,
  parts: readonly { readonly offset: number; readonly size: number }[],
  errors: SoftErrors,
): Reading<CoreNotes> {
  const to = new NoteCollector(cpu, errors);
  for (const { offset, size } of parts) {
    const forward = new Forward(offset, size);
    while (forward.left >= noteHeader.size && (yield* readNote(forward, to, errors)));
  }
  for (const [name, count] of to.unknown) {
    errors.add('NOTE_UNKNOWN', `a note that is not known here, ${count} times: ${name}`);
  }
  return to;
}

/** @returns whether there may be another one behind it */
function* readNote(forward: Forward, to: NoteCollector, errors: SoftErrors): Reading<boolean> {
  const at = forward.offset;
  const head = yield* forward.take(noteHeader.size);
  if (head.length < noteHeader.size) return cutOff(at, errors);
  const { nameSize, size, type } = noteHeader.read(viewOf(head));
  if (align4(nameSize) + size > forward.left) {
    errors.add('NOTE_MALFORMED', `the note at byte ${at} of the core goes beyond the notes`);
    return false;
  }
  const nameEnd = forward.offset + align4(nameSize);
  const nameBytes = yield* forward.take(Math.min(nameSize, MAX_NAME));
  forward.skip(nameEnd - forward.offset);
  const contentsEnd = forward.offset + align4(size);
  const name = `${latin1(nameBytes)} ${type}`;
  const note = Object.hasOwn(known, name) ? known[name] : undefined;
  if (note) {
    const wanted = Math.min(size, note.most);
    const bytes = yield* forward.take(wanted);
    if (bytes.length < wanted) return cutOff(at, errors);
    note.use(bytes, to);
  } else if (!unused.has(name) && (to.unknown.has(name) || to.unknown.size < 64)) {
    to.unknown.set(name, (to.unknown.get(name) ?? 0) + 1);
  }
  forward.skip(contentsEnd - forward.offset);
  return true;
}

function cutOff(at: number, errors: SoftErrors): false {
  errors.add('CORE_TRUNCATED', `the core ends within the note at byte ${at}`);
  return false;
}

/** A note's name as far as it can be shown. */
function latin1(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  const text = String.fromCharCode(...bytes.subarray(0, end < 0 ? bytes.length : end));
  return text.replaceAll(/[^\x20-\x7e]/g, '?');
}
