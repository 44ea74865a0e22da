import { crc32 } from '../compression/nx842.ts';

/** lib/842/842.h */
const DATA_8 = 0x00;
const INDEX_8 = 0x19;
const REPEAT = 0x1b;
const ZEROS = 0x1c;
const SHORT_DATA = 0x1d;
const END = 0x1e;
const BLOCK = 8;
/** Blocks that an index of 8 bits reaches. */
const WINDOW = 256;
const MOST_REPEATS = 64;

/** An 842 stream, of whole blocks alone: as they are, as one before, as zeros. */
export function compress842(data: Uint8Array): Uint8Array {
  const bits = new BitWriter();
  const whole = data.length - (data.length % BLOCK);
  const blockAt = (at: number) => String.fromCharCode(...data.subarray(at, at + BLOCK));
  const seen = new Map<string, number>();
  for (let at = 0; at < whole; ) {
    const block = blockAt(at);
    let repeats = 0;
    while (
      at > 0 &&
      repeats < MOST_REPEATS &&
      at + repeats * BLOCK < whole &&
      blockAt(at + repeats * BLOCK) === blockAt(at - BLOCK)
    ) {
      repeats++;
    }
    const number = at / BLOCK;
    const before = seen.get(block);
    if (repeats > 0) {
      bits.write(REPEAT, 5);
      bits.write(repeats - 1, 6);
    } else if (/^\0+$/.test(block)) bits.write(ZEROS, 5);
    else if (before !== undefined && number - before <= WINDOW) {
      bits.write(INDEX_8, 5);
      bits.write(before % WINDOW, 8);
    } else {
      bits.write(DATA_8, 5);
      for (const byte of data.subarray(at, at + BLOCK)) bits.write(byte, 8);
    }
    const blocks = Math.max(1, repeats);
    for (let index = 0; index < blocks; index++) seen.set(blockAt(at + index * BLOCK), number + index);
    at += blocks * BLOCK;
  }
  if (whole < data.length) {
    bits.write(SHORT_DATA, 5);
    bits.write(data.length - whole, 3);
    for (const byte of data.subarray(whole)) bits.write(byte, 8);
  }
  bits.write(END, 5);
  const checksum = crc32(data);
  bits.write(checksum >>> 16, 16);
  bits.write(checksum & 0xffff, 16);
  return bits.finish();
}

class BitWriter {
  readonly #bytes: number[] = [];
  #hold = 0;
  #count = 0;

  /** The highest bit first. */
  write(value: number, count: number): void {
    this.#hold = (this.#hold << count) | value;
    this.#count += count;
    for (; this.#count >= 8; this.#count -= 8) this.#bytes.push((this.#hold >>> (this.#count - 8)) & 0xff);
    this.#hold &= (1 << this.#count) - 1;
  }

  /** To whole groups of 8 bytes, as the kernel pads it. */
  finish(): Uint8Array {
    if (this.#count > 0) this.write(0, 8 - this.#count);
    while (this.#bytes.length % 8 !== 0) this.#bytes.push(0);
    return Uint8Array.from(this.#bytes);
  }
}
