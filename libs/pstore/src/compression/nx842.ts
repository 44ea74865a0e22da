import { corrupt, Output } from './bits.ts';

/** lib/842/842.h: bits of an operation, and what those mean that are no template. */
const OPERATION_BITS = 5;
const REPEAT = 0x1b;
const ZEROS = 0x1c;
const SHORT_DATA = 0x1d;
const END = 0x1e;
const REPEAT_BITS = 6;
const SHORT_DATA_BITS = 3;

/** Each template makes 8 bytes: d data that follow, i an index into what was put out, of so many bytes. */
const TEMPLATES: readonly (readonly Part[])[] = (
  'd8 d4d2i2 d4i2d2 d4i2i2 d4i4 d2i2d4 d2i2d2i2 d2i2i2d2 d2i2i2i2 d2i2i4 i2d2d4 i2d4i2 i2d2i2d2 i2d2i2i2 i2d2i4 i2i2d4 ' +
  'i2i2d2i2 i2i2i2d2 i2i2i2i2 i2i2i4 i4d4 i4d2i2 i4i2d2 i4i2i2 i4i4 i8'
)
  .split(' ')
  .map((template) =>
    [...template.matchAll(/([di])(\d)/g)].map(([, kind, bytes]) => ({
      isIndex: kind === 'i',
      bytes: Number(bytes),
    })),
  );

const INDEX_BITS: Readonly<Record<number, number>> = { 2: 8, 4: 9, 8: 8 };
/** What an operation makes, but for short data. */
const BLOCK = 8;

interface Part {
  readonly isIndex: boolean;
  readonly bytes: number;
}

/**
 * Decompresses what the 842 compressor of Linux writes (lib/842), its checksum included.
 *
 * @throws {CorruptData}
 */
export function decompress842(source: Uint8Array, limit: number): Uint8Array {
  const output = new Output(limit);
  const bits = new BigEndianBits(source);
  for (let operation = bits.read(OPERATION_BITS); operation !== END; operation = bits.read(OPERATION_BITS)) {
    if (operation === REPEAT) repeat(output, bits);
    else if (operation === ZEROS) zeros(output);
    else if (operation === SHORT_DATA) shortData(output, bits);
    else template(output, bits, TEMPLATES[operation] ?? corrupt('no such operation'));
  }
  const checksum = bits.read(16) * 0x10000 + bits.read(16);
  const data = output.take();
  if (crc32(data) !== checksum) corrupt('the checksum is wrong');
  return data;
}

function repeat(output: Output, bits: BigEndianBits): void {
  if (output.length === 0) corrupt('nothing to repeat');
  for (let times = bits.read(REPEAT_BITS) + 1; times > 0; times--) output.repeat(BLOCK, BLOCK);
}

function zeros(output: Output): void {
  if (output.room < BLOCK) corrupt('more than allowed');
  output.length += BLOCK;
}

function shortData(output: Output, bits: BigEndianBits): void {
  const count = bits.read(SHORT_DATA_BITS);
  if (count === 0) corrupt('no data');
  copyData(output, bits, count);
}

function template(output: Output, bits: BigEndianBits, parts: readonly Part[]): void {
  for (const { isIndex, bytes } of parts) {
    if (isIndex) copyIndexed(output, bits, bytes);
    else copyData(output, bits, bytes);
  }
}

function copyData(output: Output, bits: BigEndianBits, count: number): void {
  for (let index = 0; index < count; index++) output.push(bits.read(8));
}

/** An index counts units of that many bytes in a window that is a ring, of which whole blocks are filled. */
function copyIndexed(output: Output, bits: BigEndianBits, bytes: number): void {
  const indexBits = INDEX_BITS[bytes] as number;
  const windowSize = bytes << indexBits;
  const total = output.length - (output.length % BLOCK);
  let offset = bits.read(indexBits) * bytes;
  if (total > windowSize) {
    const position = total % windowSize;
    offset += total - position - (offset >= position ? windowSize : 0);
  }
  if (offset + bytes > total) corrupt('an index of what is not there yet');
  output.repeat(output.length - offset, bytes);
}

class BigEndianBits {
  readonly #source: Uint8Array;
  #at = 0;
  #hold = 0;
  #count = 0;

  constructor(source: Uint8Array) {
    this.#source = source;
  }

  /** Up to 16 bits, the first one highest. */
  read(count: number): number {
    for (; this.#count < count; this.#count += 8) {
      this.#hold =
        ((this.#hold & 0xffff) << 8) | (this.#source[this.#at++] ?? corrupt('the input ends early'));
    }
    this.#count -= count;
    return (this.#hold >>> this.#count) & ((1 << count) - 1);
  }
}

let table: Uint32Array | undefined;

/** crc32_be(0, ...) of lib/crc32.c: the highest bit first, and not inverted. */
export function crc32(data: Uint8Array): number {
  table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte << 24;
    for (let bit = 0; bit < 8; bit++) value = value & 0x80000000 ? (value << 1) ^ 0x04c11db7 : value << 1;
    return value;
  });
  let crc = 0;
  for (const byte of data) crc = (crc << 8) ^ (table[((crc >>> 24) ^ byte) & 0xff] as number);
  return crc >>> 0;
}
