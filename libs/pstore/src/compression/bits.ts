/** What a decompressor throws at itself when the bytes are not what it reads, or give more than allowed. */
export class CorruptData extends Error {
  override readonly name = 'CorruptData';
}

/** Fails without a stack: a wrong guess at the compressor is nothing exceptional. */
export function corrupt(message: string): never {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    throw new CorruptData(message);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Output of a decompressor: never more than a limit, and copies from what is there already. */
export class Output {
  readonly bytes: Uint8Array;
  length = 0;

  constructor(limit: number) {
    this.bytes = new Uint8Array(limit);
  }

  get room(): number {
    return this.bytes.length - this.length;
  }

  push(byte: number): void {
    if (this.length >= this.bytes.length) corrupt('more than allowed');
    this.bytes[this.length++] = byte;
  }

  /** Copies of the input. */
  append(source: Uint8Array, start: number, length: number): void {
    if (length > this.room) corrupt('more than allowed');
    if (start + length > source.length) corrupt('the input ends early');
    this.bytes.set(source.subarray(start, start + length), this.length);
    this.length += length;
  }

  /** Copies what was put out `distance` bytes ago; what is being copied may be copied again. */
  repeat(distance: number, length: number): void {
    const { bytes } = this;
    if (distance < 1 || distance > this.length) corrupt('a copy of what was before the beginning');
    if (length > this.room) corrupt('more than allowed');
    const end = this.length + length;
    if (distance >= length) {
      bytes.copyWithin(this.length, this.length - distance, end - distance);
    } else {
      for (let at = this.length; at < end; at++) bytes[at] = bytes[at - distance] as number;
    }
    this.length = end;
  }

  /** What there is, in memory that is not much larger. */
  take(): Uint8Array {
    const { bytes, length } = this;
    return 4 * length >= 3 * bytes.length ? bytes.subarray(0, length) : bytes.slice(0, length);
  }
}
