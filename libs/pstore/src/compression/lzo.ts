import { corrupt, Output } from './bits.ts';

/** A stream that begins so has its version in the next byte (Documentation/staging/lzo.rst). */
const VERSIONED = 17;
/** What `state` is after 4 or more literals. */
const MANY = 4;

/**
 * Decompresses an LZO1X stream, of both versions that Linux knows (Documentation/staging/lzo.rst).
 *
 * @throws {CorruptData}
 */
export function decompressLzo(source: Uint8Array, limit: number): Uint8Array {
  const reader = new LzoReader(source, limit);
  reader.begin();
  while (reader.step());
  return reader.output.take();
}

class LzoReader {
  readonly output: Output;
  readonly #source: Uint8Array;
  #at = 0;
  #hasZeroRuns = false;
  /** Literals that the last instruction copied, or MANY. */
  #state = 0;

  constructor(source: Uint8Array, limit: number) {
    this.#source = source;
    this.output = new Output(limit);
  }

  /** The first byte has a meaning of its own. */
  begin(): void {
    if (this.#source.length >= 5 && this.#source[0] === VERSIONED) {
      this.#at = 2;
      // Linux takes any version but 0 for 1.
      this.#hasZeroRuns = this.#source[1] !== 0;
    }
    const first = this.#source[this.#at] ?? corrupt('there is nothing');
    if (first <= VERSIONED) return;
    this.#at++;
    this.#literals(first - VERSIONED);
    this.#state = Math.min(first - VERSIONED, MANY);
  }

  /** One instruction, with the literals behind it; false at the end of the stream. */
  step(): boolean {
    const instruction = this.#next();
    if (instruction < 16) return this.#shortInstruction(instruction);
    if (instruction >= 64) {
      const isLong = instruction >= 128;
      const length = isLong ? 5 + ((instruction >>> 5) & 3) : 3 + ((instruction >>> 5) & 1);
      const distance = (this.#next() << 3) + ((instruction >>> 2) & 7) + 1;
      return this.#copy(distance, length, instruction & 3);
    }
    if (instruction >= 32) {
      const length = 2 + this.#length(instruction & 31, 31);
      const word = this.#word();
      return this.#copy((word >>> 2) + 1, length, word & 3);
    }
    return this.#farCopy(instruction);
  }

  #shortInstruction(instruction: number): boolean {
    if (this.#state === 0) {
      this.#literals(3 + this.#length(instruction, 15));
      this.#state = MANY;
      return true;
    }
    const distance = (this.#next() << 2) + (instruction >>> 2) + 1;
    return this.#state === MANY
      ? this.#copy(distance + 2048, 3, instruction & 3)
      : this.#copy(distance, 2, instruction & 3);
  }

  #farCopy(instruction: number): boolean {
    const base = (instruction & 8) << 11;
    if (this.#hasZeroRuns && base > 0) {
      const [low = 0, high = 0] = this.#source.subarray(this.#at);
      if ((((high << 8) | low) & 0xfffc) === 0xfffc) return this.#zeros(instruction & 7, low & 3);
    }
    const length = 2 + this.#length(instruction & 7, 7);
    const word = this.#word();
    const distance = base + (word >>> 2);
    if (distance > 0) return this.#copy(distance + 16384, length, word & 3);
    if (length !== 3 || this.#at !== this.#source.length) corrupt('an end where none can be');
    return false;
  }

  /** In streams of version 1 the farthest distance, 0xbfff, stands for zeros. */
  #zeros(low: number, literals: number): boolean {
    this.#at += 2;
    const length = ((this.#next() << 3) | low) + 4;
    if (length > this.output.room) corrupt('more than allowed');
    this.output.length += length;
    return this.#afterCopy(literals);
  }

  #copy(distance: number, length: number, literals: number): boolean {
    this.output.repeat(distance, length);
    return this.#afterCopy(literals);
  }

  #afterCopy(literals: number): boolean {
    this.#literals(literals);
    this.#state = literals;
    return true;
  }

  #literals(count: number): void {
    this.output.append(this.#source, this.#at, count);
    this.#at += count;
  }

  /** A length that goes on in further bytes when its bits are 0. */
  #length(bits: number, max: number): number {
    if (bits > 0) return bits;
    let length = max;
    let byte = this.#next();
    for (; byte === 0; byte = this.#next()) length += 255;
    return length + byte;
  }

  #word(): number {
    return this.#next() | (this.#next() << 8);
  }

  #next(): number {
    return this.#source[this.#at++] ?? corrupt('the input ends early');
  }
}
