/**
 * A name (or link target) as it stands in the received frame: bytes, not necessarily UTF-8, not copied.
 *
 * It is valid until the method that got it returns or, if that returned a promise, until the promise settles. Keep `toBytes()` or `toString()`, not the object.
 */
export class Name {
  /** The frame that holds the name; the name is bytes[start, start + length). */
  bytes: Uint8Array;
  start: number;
  length: number;

  constructor(bytes: Uint8Array = new Uint8Array(), start = 0, length = bytes.length) {
    this.bytes = bytes;
    this.start = start;
    this.length = length;
  }

  static from(text: string): Name {
    return new Name(encoder.encode(text));
  }

  /** Decoded as UTF-8; bytes that are not become U+FFFD. */
  toString(): string {
    return decoder.decode(this.bytes.subarray(this.start, this.start + this.length));
  }

  /** A copy of the bytes. */
  toBytes(): Uint8Array {
    return this.bytes.slice(this.start, this.start + this.length);
  }

  /** Whether there is a NUL in it, which no system call takes. */
  hasNul(): boolean {
    const at = this.bytes.indexOf(0, this.start);
    return at !== -1 && at < this.start + this.length;
  }

  /** Whether it has the same bytes. */
  equals(other: Name): boolean {
    if (this.length !== other.length) return false;
    for (let i = 0; i < this.length; i++) {
      if (this.bytes[this.start + i] !== other.bytes[other.start + i]) return false;
    }
    return true;
  }

  /** Whether it can name a directory entry: not empty, not `.` or `..`, no `/`, no NUL. */
  isEntryName(): boolean {
    const { bytes, start, length } = this;
    if (length === 0) return false;
    const end = start + length;
    for (let at = start; at < end; at++) {
      const byte = bytes[at];
      if (byte === SLASH || byte === 0) return false;
    }
    if (bytes[start] !== DOT || length > 2) return true;
    return length === 2 && bytes[start + 1] !== DOT;
  }
}

const SLASH = 0x2f;
const DOT = 0x2e;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
