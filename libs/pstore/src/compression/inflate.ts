import { corrupt, Output } from './bits.ts';

const MAX_BITS = 15;
/** Codes up to this length are found by one look into a table. */
const FAST_BITS = 10;
const END_OF_BLOCK = 256;
const MAX_LENGTH_CODES = 286;
const MAX_DISTANCE_CODES = 30;

/** RFC 1951, 3.2.5. */
const LENGTHS = bases(
  [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5],
  3,
);
LENGTHS.push({ base: 258, extra: 0 });
const DISTANCES = bases(
  [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13],
  1,
);
/** 3.2.7. */
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

interface Base {
  readonly base: number;
  readonly extra: number;
}

function bases(extras: readonly number[], first: number): Base[] {
  let base = first;
  return extras.map((extra) => {
    const entry = { base, extra };
    base += 2 ** extra;
    return entry;
  });
}

/**
 * Inflates a raw deflate stream (RFC 1951); bytes behind its end are ignored.
 *
 * Written anew because it has to refuse exactly what zlib refuses: the kernel shows a damaged record as it is stored when its
 * zlib does, and that must not depend on whose inflate reads it.
 *
 * @throws {CorruptData}
 */
export function inflate(source: Uint8Array, limit: number): Uint8Array {
  const output = new Output(limit);
  const bits = new BitStream(source);
  for (let isLast = false; !isLast; ) {
    isLast = bits.read(1) === 1;
    const type = bits.read(2);
    if (type === 0) stored(bits, output);
    else if (type === 1) compressed(bits, output, fixedLengths(), fixedDistances());
    else if (type === 2) dynamic(bits, output);
    else corrupt('no such block type');
  }
  return output.take();
}

/** Inflates a zlib stream (RFC 1950), which kernels before 4.18 wrote. */
export function inflateZlib(source: Uint8Array, limit: number): Uint8Array {
  if (!isZlib(source)) corrupt('no zlib header');
  return inflate(source.subarray(2), limit);
}

export function isZlib([method = 0, flags = 0]: Uint8Array): boolean {
  return (
    (method & 0x0f) === 8 && method >>> 4 <= 7 && ((method << 8) | flags) % 31 === 0 && (flags & 0x20) === 0
  );
}

class BitStream {
  readonly #source: Uint8Array;
  #at = 0;
  #hold = 0;
  #count = 0;

  constructor(source: Uint8Array) {
    this.#source = source;
  }

  /** Up to 16 bits, the first one lowest. */
  read(count: number): number {
    this.#need(count);
    const value = this.#hold & ((1 << count) - 1);
    this.#hold >>>= count;
    this.#count -= count;
    return value;
  }

  symbol(code: Code): number {
    // Near the end there are fewer bits than the longest code has; the missing ones read as 0 until they are taken.
    while (this.#count < MAX_BITS && this.#at < this.#source.length) this.#fill();
    const entry = code.fast[this.#hold & ((1 << FAST_BITS) - 1)] as number;
    const found = entry === 0 ? code.slow(this.#hold) : entry;
    const length = found & 15;
    if (length === 0) corrupt('no such code');
    this.#need(length);
    this.#hold >>>= length;
    this.#count -= length;
    return found >>> 4;
  }

  /** Bytes from the next whole one. */
  copy(length: number, output: Output): void {
    output.append(this.#source, this.#at, length);
    this.#at += length;
  }

  /** Drops what is left of a byte, and gives whole ones back. */
  align(): void {
    this.#at -= this.#count >>> 3;
    this.#hold = 0;
    this.#count = 0;
  }

  #need(count: number): void {
    while (this.#count < count) this.#fill();
  }

  #fill(): void {
    // The kernel lets zlib have one more byte, 0, at the end of a raw stream (crypto/deflate.c).
    if (this.#at > this.#source.length) corrupt('the input ends early');
    this.#hold |= (this.#source[this.#at++] ?? 0) << this.#count;
    this.#count += 8;
  }
}

/** A Huffman code. */
class Code {
  /** By the next bits: symbol << 4 | length, or 0 where the code is longer or there is none. */
  readonly fast = new Uint16Array(1 << FAST_BITS);
  readonly #counts = new Uint16Array(MAX_BITS + 1);
  readonly #symbols: Uint16Array;

  /** @throws {CorruptData} where zlib does: codes that overlap, and incomplete ones but that of a single bit */
  constructor(lengths: Uint8Array, { mayBeIncomplete }: { mayBeIncomplete: boolean }) {
    const counts = this.#counts;
    for (const length of lengths) counts[length] = (counts[length] as number) + 1;
    let left = 1;
    let max = 0;
    for (let length = 1; length <= MAX_BITS; length++) {
      left = left * 2 - (counts[length] as number);
      if (left < 0) corrupt('codes overlap');
      if (counts[length] !== 0) max = length;
    }
    const isEmpty = max === 0;
    if (left > 0 && !(mayBeIncomplete && (isEmpty || max === 1))) corrupt('codes are missing');
    const offsets = new Uint16Array(MAX_BITS + 2);
    for (let length = 1; length <= MAX_BITS; length++) {
      offsets[length + 1] = (offsets[length] as number) + (counts[length] as number);
    }
    this.#symbols = new Uint16Array(lengths.length);
    for (const [symbol, length] of lengths.entries()) {
      if (length === 0) continue;
      this.#symbols[offsets[length] as number] = symbol;
      offsets[length] = (offsets[length] as number) + 1;
    }
    this.#fillFast();
  }

  /** As an entry of `fast`, bit by bit: for long codes. */
  slow(hold: number): number {
    let [code, first, index] = [0, 0, 0];
    for (let length = 1; length <= MAX_BITS; length++) {
      code |= (hold >>> (length - 1)) & 1;
      const count = this.#counts[length] as number;
      if (code - count < first) return ((this.#symbols[index + code - first] as number) << 4) | length;
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    return 0;
  }

  #fillFast(): void {
    let [code, index] = [0, 0];
    for (let length = 1; length <= FAST_BITS; length++, code <<= 1) {
      for (let count = this.#counts[length] as number; count > 0; count--, code++) {
        const entry = ((this.#symbols[index++] as number) << 4) | length;
        for (let bits = reversed(code, length); bits < 1 << FAST_BITS; bits += 1 << length) {
          this.fast[bits] = entry;
        }
      }
    }
  }
}

/** Codes lie in the stream with their highest bit first. */
function reversed(code: number, length: number): number {
  let bits = 0;
  for (let index = 0; index < length; index++) bits |= ((code >>> index) & 1) << (length - 1 - index);
  return bits;
}

function stored(bits: BitStream, output: Output): void {
  bits.align();
  const length = bits.read(16);
  if (length !== (bits.read(16) ^ 0xffff)) corrupt('a length that is not confirmed');
  bits.align();
  bits.copy(length, output);
}

function dynamic(bits: BitStream, output: Output): void {
  const lengthCodes = bits.read(5) + 257;
  const distanceCodes = bits.read(5) + 1;
  const order = CODE_LENGTH_ORDER.slice(0, bits.read(4) + 4);
  if (lengthCodes > MAX_LENGTH_CODES || distanceCodes > MAX_DISTANCE_CODES) corrupt('too many codes');
  const codeLengths = new Uint8Array(CODE_LENGTH_ORDER.length);
  for (const symbol of order) codeLengths[symbol] = bits.read(3);
  const code = new Code(codeLengths, { mayBeIncomplete: false });
  const lengths = new Uint8Array(lengthCodes + distanceCodes);
  for (let index = 0; index < lengths.length; ) {
    const symbol = bits.symbol(code);
    if (symbol < 16) {
      lengths[index++] = symbol;
      continue;
    }
    if (symbol === 16 && index === 0) corrupt('nothing to repeat');
    const value = symbol === 16 ? (lengths[index - 1] as number) : 0;
    const times = symbol === 16 ? 3 + bits.read(2) : symbol === 17 ? 3 + bits.read(3) : 11 + bits.read(7);
    if (index + times > lengths.length) corrupt('more repetitions than codes');
    lengths.fill(value, index, index + times);
    index += times;
  }
  if (lengths[END_OF_BLOCK] === 0) corrupt('a block without an end');
  compressed(
    bits,
    output,
    new Code(lengths.subarray(0, lengthCodes), { mayBeIncomplete: true }),
    new Code(lengths.subarray(lengthCodes), { mayBeIncomplete: true }),
  );
}

function compressed(bits: BitStream, output: Output, lengthCode: Code, distanceCode: Code): void {
  for (;;) {
    const symbol = bits.symbol(lengthCode);
    if (symbol < END_OF_BLOCK) {
      output.push(symbol);
      continue;
    }
    if (symbol === END_OF_BLOCK) return;
    const length = LENGTHS[symbol - END_OF_BLOCK - 1] ?? corrupt('no such length');
    const size = length.base + bits.read(length.extra);
    const distance = DISTANCES[bits.symbol(distanceCode)] ?? corrupt('no such distance');
    output.repeat(distance.base + bits.read(distance.extra), size);
  }
}

let fixed: { lengths: Code; distances: Code } | undefined;

/** RFC 1951, 3.2.6; made when first needed. */
function fixedCodes(): { lengths: Code; distances: Code } {
  if (fixed) return fixed;
  const lengths = new Uint8Array(288).fill(8).fill(9, 144, 256).fill(7, 256, 280);
  const distances = new Uint8Array(32).fill(5);
  fixed = {
    lengths: new Code(lengths, { mayBeIncomplete: false }),
    distances: new Code(distances, { mayBeIncomplete: false }),
  };
  return fixed;
}

function fixedLengths(): Code {
  return fixedCodes().lengths;
}

function fixedDistances(): Code {
  return fixedCodes().distances;
}
