import type { FileMapping } from '../core/file-mapping.ts';
import { readImage } from '../core/image.ts';
import type { CoreMemory } from '../core/memory.ts';
import { inFile, type Module, type OpenFile } from '../core/modules.ts';
import { type Reading, runReading } from '../core/reading.ts';
import type { CoreThread } from '../core/thread.ts';
import type { Cpu } from '../cpu/cpu.ts';
import type { MemoryRange } from '../dump/contents.ts';
import { Most } from './facts.ts';

/** How many bytes there are on either side of an instruction pointer. */
const AROUND = 128n;

interface Window {
  readonly start: bigint;
  end: bigint;
}

/** The bytes around the instruction pointers of the threads. */
export class Instructions {
  readonly ranges: MemoryRange[] = [];
  readonly #memory: CoreMemory;
  readonly #windows: readonly Window[];
  readonly #missing: Window[] = [];

  constructor(threads: readonly CoreThread[], memory: CoreMemory) {
    this.#memory = memory;
    this.#windows = windowsOf(threads, memory);
  }

  /** Readers of what the core has of them. */
  readings(): Reading<void>[] {
    return this.#windows.map((window) => this.#read(window));
  }

  *#read(window: Window): Reading<void> {
    const bytes = yield* this.#memory.read(window.start, Number(window.end - window.start));
    if (bytes.length > 0) this.ranges.push({ start: window.start, bytes: bytes.slice() });
    else this.#missing.push(window);
  }

  /** Code that is unchanged is not dumped: its file has it, if that is still the same. */
  fromFiles(
    cpu: Cpu,
    mappings: readonly FileMapping[],
    modules: readonly Module[],
    openFile: OpenFile | undefined,
  ): void {
    for (const { start, end } of this.#missing) {
      const mapping = mappings.find((one) => one.start <= start && start < one.end);
      const file = mapping && openFile?.(mapping);
      if (!file) continue;
      const module = modules.find(({ base, size }) => base <= start && start < base + BigInt(size));
      const image = runReading(readImage(cpu, 0n, inFile(file.readAt)), file.readAt);
      if (!file.same && !sameBytes(image?.buildId, module?.buildId)) continue;
      const bytes = file.readAt(Number(start - mapping.start + mapping.fileOffset), Number(end - start));
      if (bytes.length > 0) this.ranges.push({ start, bytes: bytes.slice() });
    }
  }
}

/** The stretches of memory around the instruction pointers; of threads that are at the same place one. */
function windowsOf(threads: readonly CoreThread[], memory: CoreMemory): Window[] {
  const windows: Window[] = [];
  const ips = new Set(threads.slice(0, Most.threads).map(({ ip }) => ip));
  for (const ip of [...ips].sort((a, b) => (a < b ? -1 : 1))) {
    const segment = memory.segments.at(ip);
    if (!segment) continue;
    const start = ip - AROUND > segment.start ? ip - AROUND : segment.start;
    const end = ip + AROUND < segment.end ? ip + AROUND : segment.end;
    const last = windows.at(-1);
    if (last && start <= last.end) last.end = end;
    else windows.push({ start, end });
  }
  return windows;
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && a.length === b.length && a.every((byte, at) => byte === b[at]);
}
