import { MinidumpError } from '../errors.ts';
import { type Fields, type RecordType, type Values, viewOf } from '../record.ts';

/** Reads structures of a minidump at their RVAs; each access is checked. */
export class DumpBytes {
  /** Bytes of text that are decoded in all: a small dump can name a long string very often. */
  static readonly MAX_TEXT = 1 << 24;
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #textLeft = DumpBytes.MAX_TEXT;

  constructor(bytes: Uint8Array) {
    // The methods of a Buffer mean other things.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#view = viewOf(bytes);
  }

  get size(): number {
    return this.bytes.length;
  }

  /** @throws MinidumpError when they are not all there */
  slice(rva: number, size: number, what: string): Uint8Array {
    this.#check(rva, size, what);
    return this.bytes.subarray(rva, rva + size);
  }

  record<F extends Fields>(type: RecordType<F>, rva: number, what: string): Values<F> {
    this.#check(rva, type.size, what);
    return type.read(this.#view, rva);
  }

  /** Records in a row, one at a time. The whole list must be inside `[rva, end)`. */
  *records<F extends Fields>(
    type: RecordType<F>,
    { rva, count, end, stride = type.size }: { rva: number; count: number; end: number; stride?: number },
    what: string,
  ): Generator<Values<F>> {
    const last = Math.min(end, this.size);
    if (stride < type.size || count > Math.floor((last - rva) / stride)) {
      throw new MinidumpError(
        'ERR_MINIDUMP_COUNT',
        rva,
        `${count} entries of ${what} in ${Math.max(0, last - rva)} bytes, ${stride} each`,
      );
    }
    for (let index = 0; index < count; index++) yield type.read(this.#view, rva + index * stride);
  }

  u32(rva: number, what: string): number {
    this.#check(rva, 4, what);
    return this.#view.getUint32(rva, true);
  }

  u64(rva: number, what: string): bigint {
    this.#check(rva, 8, what);
    return this.#view.getBigUint64(rva, true);
  }

  /** A string in UTF-16. */
  text(rva: number, what: string): string {
    const view = viewOf(this.#textBytes(rva, what));
    const units = Array.from({ length: view.byteLength >> 1 }, (_, index) => view.getUint16(2 * index, true));
    // Not by TextDecoder, which would replace half surrogates; and a call takes only so many arguments.
    let text = '';
    for (let at = 0; at < units.length; at += 4096)
      text += String.fromCharCode(...units.slice(at, at + 4096));
    return text;
  }

  /** A string in UTF-8. */
  utf8(rva: number, what: string): string {
    return new TextDecoder().decode(this.#textBytes(rva, what));
  }

  #textBytes(rva: number, what: string): Uint8Array {
    const bytes = this.slice(rva + 4, this.u32(rva, what), what);
    this.#textLeft -= bytes.length;
    if (this.#textLeft < 0) {
      throw new MinidumpError('ERR_MINIDUMP_COUNT', rva, `more than ${DumpBytes.MAX_TEXT} bytes of text`);
    }
    return bytes;
  }

  #check(rva: number, size: number, what: string): void {
    if (rva < 0 || size < 0 || rva + size > this.size) {
      throw new MinidumpError(
        'ERR_MINIDUMP_BOUNDS',
        rva,
        `${what} has ${size} bytes there, and the dump ends at ${this.size}`,
      );
    }
  }
}
