import { concat } from '../record.ts';
import type { Ask, Reading } from './reading.ts';
import type { Segments } from './segment.ts';

/** Reads the memory of a process that is still there: at most `size` bytes, none where there is nothing. */
export type ReadMemory = (address: bigint, size: number) => Uint8Array;

const NOTHING = new Uint8Array(0);

/** The memory of the process: what the core has of it, and what the kernel still holds. */
export class CoreMemory {
  readonly segments: Segments;
  readonly #live: ReadMemory | undefined;

  constructor(segments: Segments, live?: ReadMemory) {
    this.segments = segments;
    this.#live = live;
  }

  /** How many bytes from an address on belong to the same stretch of memory, dumped or not; 0: none. */
  extent(address: bigint): number {
    const segment = this.segments.at(address);
    return segment ? Number(segment.end - address) : 0;
  }

  /** Where in the core the memory from an address on is, and how much of it; undefined: it was not dumped. */
  inCore(address: bigint): Ask | undefined {
    const segment = this.segments.at(address);
    if (!segment) return undefined;
    const into = Number(address - segment.start);
    const size = segment.fileSize - into;
    return size > 0 ? { offset: segment.offset + into, size } : undefined;
  }

  /** The memory at an address: fewer bytes where there are not so many in one stretch, or the core was cut off. */
  *read(address: bigint, size: number): Reading<Uint8Array> {
    const there = this.inCore(address);
    if (there) {
      const bytes = yield { offset: there.offset, size: Math.min(size, there.size) };
      if (bytes.length > 0) return bytes;
    }
    return this.#live?.(address, size) ?? NOTHING;
  }

  /** The same, over the borders of neighbouring stretches. */
  *readAcross(address: bigint, size: number): Reading<Uint8Array> {
    const first = yield* this.read(address, size);
    if (first.length === 0 || first.length === size) return first;
    const rest = yield* this.readAcross(address + BigInt(first.length), size - first.length);
    return rest.length === 0 ? first : concat([first, rest]);
  }

  /** Text up to a NUL; undefined where there is none. */
  *readText(address: bigint, most = 4096): Reading<string | undefined> {
    for (const size of [256, most]) {
      const bytes = yield* this.readAcross(address, Math.min(size, most));
      const end = bytes.indexOf(0);
      if (end >= 0) return new TextDecoder().decode(bytes.subarray(0, end));
      if (bytes.length < size) return undefined;
    }
    return undefined;
  }
}
