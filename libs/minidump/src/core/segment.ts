/** A stretch of the process's memory: a PT_LOAD header of the core. */
export interface Segment {
  /** Of its first byte. */
  readonly start: bigint;
  /** Of the byte behind its last one. */
  readonly end: bigint;
  /** Where its bytes are in the core, and how many: the rest was not dumped. */
  readonly offset: number;
  readonly fileSize: number;
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
}

/** The segments of a core by address. */
export class Segments {
  /** Ascending and disjoint. */
  readonly list: readonly Segment[];
  readonly #starts: Float64Array;
  readonly #ends: Float64Array;

  constructor(ascending: readonly Segment[]) {
    this.list = ascending;
    this.#starts = Float64Array.from(ascending, ({ start }) => Number(start));
    this.#ends = Float64Array.from(ascending, ({ end }) => Number(end));
  }

  /** The segment that an address lies in. */
  at(address: bigint): Segment | undefined {
    const segment = this.list[this.#before(Number(address))];
    // Numbers round addresses beyond 2^53; these are the kernel's.
    return segment && segment.start <= address && address < segment.end ? segment : undefined;
  }

  /** The first segment that begins at an address or above it. */
  above(address: bigint): Segment | undefined {
    const index = this.#before(Number(address));
    const segment = this.list[index];
    return segment && segment.start >= address ? segment : this.list[index + 1];
  }

  /** Whether an address, as a number, lies in a segment: fast, and exact below 2^53. */
  has(address: number): boolean {
    const index = this.#before(address);
    return index >= 0 && address < (this.#ends[index] as number);
  }

  /** The last segment that begins at an address or below it; -1: none does. */
  #before(address: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] as number) <= address) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
