import { concat } from '../record.ts';

/**
 * What a reader of a core asks for: so many bytes of the file from there on.
 *
 * Readers are generators that yield what they need and are given the bytes: fewer, perhaps none, where the file has not
 * more or where it is too late. So one reader serves bytes in memory, a file that can be read anywhere, and a stream that
 * flows past once, in which many readers wait at the same time for what they want.
 */
export interface Ask {
  readonly offset: number;
  readonly size: number;
}

export type Reading<T> = Generator<Ask, T, Uint8Array>;

/** Reads where it is asked to: at most `size` bytes. */
export type ReadAt = (offset: number, size: number) => Uint8Array;

/** Runs a reader on something that can be read anywhere. */
export function runReading<T>(reading: Reading<T>, readAt: ReadAt): T {
  let step = reading.next();
  while (!step.done) step = reading.next(readAt(step.value.offset, step.value.size));
  return step.value;
}

/** Reads bytes in memory. */
export function readBytes(bytes: Uint8Array): ReadAt {
  // The methods of a Buffer mean other things.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  return (offset, size) => plain.subarray(offset, offset + size);
}

/** Reads forward through a part of a file, in windows; what is passed over is not read. */
export class Forward {
  static readonly WINDOW = 1 << 16;
  /** Of the next byte. */
  offset: number;
  readonly end: number;
  #window = new Uint8Array(0);
  #windowAt = 0;

  constructor(offset: number, size: number) {
    this.offset = offset;
    this.end = offset + size;
  }

  get left(): number {
    return this.end - this.offset;
  }

  /** The next bytes: fewer where the file or the part ends. */
  *take(size: number): Reading<Uint8Array> {
    const wanted = Math.min(size, this.left);
    const from = this.offset - this.#windowAt;
    if (from < 0 || from + wanted > this.#window.length) yield* this.#fill(wanted);
    const at = this.offset - this.#windowAt;
    const bytes = this.#window.subarray(at, at + wanted);
    this.offset += bytes.length;
    return bytes;
  }

  skip(size: number): void {
    this.offset = Math.min(this.end, this.offset + size);
  }

  /** What is left of the window moves to the front of the next one: a stream is never asked for what has passed. */
  *#fill(wanted: number): Reading<void> {
    const windowEnd = this.#windowAt + this.#window.length;
    const rest =
      this.offset < windowEnd ? this.#window.subarray(this.offset - this.#windowAt) : new Uint8Array(0);
    const from = this.offset + rest.length;
    const size = Math.min(this.end - from, Math.max(wanted - rest.length, Forward.WINDOW));
    const more = size > 0 ? yield { offset: from, size } : new Uint8Array(0);
    this.#window = concat([rest, more]);
    this.#windowAt = this.offset;
  }
}
