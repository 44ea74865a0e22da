const NEWLINE = 0x0a;
const SPACE = 0x20;
const LESS = 0x3c;
/** Of a length before a message (RFC 6587 section 3.4.1): a longer one is text. */
const MAX_DIGITS = 7;

/**
 * Finds messages in a stream. Each one may say its length (`LENGTH SPACE <PRI>...`, RFC 6587 section 3.4.1), or end with a NUL, as glibc and Python send
 * them, or with a newline. What the first message without a length ends with decides for the connection: behind a NUL newlines are text.
 */
export class Framing {
  /** Where the message that was found begins and ends. */
  start = 0;
  end = 0;
  /** Where the next one begins. */
  next = 0;
  /** The message was longer than it may be: its end is passed over. */
  isCut = false;
  readonly #longest: number;
  #terminator: 'unknown' | 'nul' | 'newline' = 'unknown';
  /** Bytes to pass over; -1: up to the next terminator. */
  #skip = 0;
  /** Bytes of an unfinished message that have no terminator among them. */
  #searched = 0;

  constructor(longest: number) {
    this.#longest = longest;
  }

  /** Looks for a message from `from` to before `to`. @returns false: there is no whole one yet, and `next` is where it will begin */
  find(bytes: Uint8Array, from: number, to: number): boolean {
    const start = this.#passOver(bytes, from, to);
    this.next = this.start = start;
    this.isCut = false;
    if (start === to) return false;
    const counted = this.#findCounted(bytes, start, to);
    return counted ?? this.#findTerminated(bytes, start, to);
  }

  #passOver(bytes: Uint8Array, from: number, to: number): number {
    if (this.#skip >= 0) {
      const passed = Math.min(this.#skip, to - from);
      this.#skip -= passed;
      return from + passed;
    }
    for (let at = from; at < to; at++) {
      if (this.#isTerminator(bytes[at] as number)) {
        this.#skip = 0;
        return at + 1;
      }
    }
    return to;
  }

  #isTerminator(byte: number): boolean {
    return byte === 0 || (byte === NEWLINE && this.#terminator !== 'nul');
  }

  /** @returns undefined: it says no length */
  #findCounted(bytes: Uint8Array, start: number, to: number): boolean | undefined {
    let length = 0;
    let at = start;
    const limit = Math.min(to, start + MAX_DIGITS);
    for (; at < limit; at++) {
      const digit = (bytes[at] as number) - 0x30;
      if (digit < 0 || digit > 9) break;
      length = length * 10 + digit;
    }
    if (length === 0 || bytes[start] === 0x30) return undefined;
    // What has come so far may be a length.
    if (at === to || (at + 1 === to && bytes[at] === SPACE))
      return at - start < MAX_DIGITS ? false : undefined;
    if (bytes[at] !== SPACE || bytes[at + 1] !== LESS) return undefined;
    const first = at + 1;
    if (length <= this.#longest) {
      if (to - first < length) return false;
      this.#found(first, first + length, first + length);
      return true;
    }
    if (to - first < this.#longest) return false;
    this.isCut = true;
    this.#skip = length - this.#longest;
    this.#found(first, first + this.#longest, first + this.#longest);
    return true;
  }

  #findTerminated(bytes: Uint8Array, start: number, to: number): boolean {
    const end = this.#terminatorFrom(bytes, start + this.#searched, Math.min(to, start + this.#longest + 1));
    if (end >= 0) {
      this.#found(start, end, end + 1);
      return true;
    }
    if (to - start <= this.#longest) {
      this.#searched = to - start;
      return false;
    }
    this.isCut = true;
    this.#skip = -1;
    this.#found(start, start + this.#longest, start + this.#longest);
    return true;
  }

  /** -1: there is none */
  #terminatorFrom(bytes: Uint8Array, from: number, to: number): number {
    if (this.#terminator !== 'unknown') {
      for (let at = from; at < to; at++) if (this.#isTerminator(bytes[at] as number)) return at;
      return -1;
    }
    let newline = -1;
    for (let at = from; at < to; at++) {
      if (bytes[at] === 0) {
        this.#terminator = 'nul';
        return at;
      }
      if (newline < 0 && bytes[at] === NEWLINE) newline = at;
    }
    if (newline >= 0) this.#terminator = 'newline';
    return newline;
  }

  #found(start: number, end: number, next: number): void {
    this.start = start;
    this.end = end;
    this.next = next;
    this.#searched = 0;
  }
}
