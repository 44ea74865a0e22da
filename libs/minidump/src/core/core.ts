import type { Cpu } from '../cpu/cpu.ts';
import { Aux, elf } from '../elf/elf.ts';
import { SoftErrors } from '../errors.ts';
import { viewOf } from '../record.ts';
import type { FileMapping } from './file-mapping.ts';
import { type CoreHeaders, readHeaders } from './headers.ts';
import { CoreMemory } from './memory.ts';
import {
  arrangeModules,
  candidatesOf,
  candidatesOfSegments,
  type Found,
  type Module,
  readModule,
} from './modules.ts';
import { type CoreNotes, readNotes } from './notes.ts';
import type { ProcessInfo } from './process-info.ts';
import { type ReadAt, readBytes, runReading } from './reading.ts';
import type { Segments } from './segment.ts';
import type { CoreThread } from './thread.ts';

/** An ELF core: what its headers and notes tell, and its memory on demand. */
export class Core {
  readonly cpu: Cpu;
  readonly segments: Segments;
  /** In the core's order: the one that crashed is the first. */
  readonly threads: readonly CoreThread[];
  readonly process: ProcessInfo | undefined;
  /** The auxiliary vector, by its keys. */
  readonly auxv: ReadonlyMap<bigint, bigint>;
  /** Which files were mapped where; undefined where the core does not tell. */
  readonly files: readonly FileMapping[] | undefined;
  readonly #memory: CoreMemory;
  readonly #readAt: ReadAt;
  readonly #errors: SoftErrors;

  /** Use {@link readCore}. */
  constructor(headers: CoreHeaders, notes: CoreNotes, readAt: ReadAt, errors: SoftErrors) {
    this.cpu = headers.cpu;
    this.segments = headers.segments;
    this.threads = notes.threads;
    this.process = notes.process;
    this.auxv = auxvOf(headers.cpu, notes.auxv);
    this.files = notes.files;
    this.#memory = new CoreMemory(headers.segments);
    this.#readAt = readAt;
    this.#errors = errors;
  }

  /** What is wrong with the core, as far as has been seen. */
  get softErrors(): SoftErrors['list'] {
    return this.#errors.toJSON();
  }

  /** Memory from an address on: fewer bytes where the core has not so many in a row. */
  readMemory(address: bigint, size: number): Uint8Array {
    return runReading(this.#memory.readAcross(address, size), this.#readAt);
  }

  /** The program and its libraries, the program first. */
  modules(): Module[] {
    const isProgram = programTest(this.auxv);
    const vdso = this.auxv.get(Aux.vdso);
    const candidates = this.files
      ? candidatesOf(this.files, vdso, this.#errors)
      : candidatesOfSegments(this.#memory);
    const found: Found[] = [];
    for (const candidate of candidates) {
      const module = runReading(
        readModule(this.cpu, candidate, this.#memory, {
          openFile: undefined,
          isProgram: isProgram(candidate.base, candidate.end),
          errors: this.#errors,
        }),
        this.#readAt,
      );
      if (module) found.push(module);
    }
    return arrangeModules(found, ({ base, size }) => isProgram(base, base + BigInt(size)));
  }
}

/** Tells which image is the program: its headers are where the kernel has told the dynamic linker. */
export function programTest(auxv: ReadonlyMap<bigint, bigint>): (start: bigint, end: bigint) => boolean {
  const inside = auxv.get(Aux.programHeaders) ?? auxv.get(Aux.entry);
  return (start, end) => inside !== undefined && start <= inside && inside < end;
}

/** The auxiliary vector by its keys. */
export function auxvOf(cpu: Cpu, bytes: Uint8Array | undefined): Map<bigint, bigint> {
  const { pair } = elf[cpu.bits];
  const entries = new Map<bigint, bigint>();
  if (!bytes) return entries;
  const view = viewOf(bytes);
  for (let at = 0; at + pair.size <= bytes.length; at += pair.size) {
    const { key, value } = pair.read(view, at);
    if (key === Aux.null) break;
    entries.set(key, value);
  }
  return entries;
}

/**
 * Reads an ELF core: bytes in memory, or anything that can be read at any offset. Only headers and notes are read at first.
 * @throws CoreError when it is no core, or one of a processor that is not known
 */
export function readCore(source: Uint8Array | ReadAt): Core {
  const readAt = source instanceof Uint8Array ? readBytes(source) : source;
  const errors = new SoftErrors();
  const headers = runReading(readHeaders(true, errors), readAt);
  const notes = runReading(readNotes(headers.cpu, headers.notes, errors), readAt);
  return new Core(headers, notes, readAt, errors);
}
