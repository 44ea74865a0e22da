import { copyTo } from './copy.ts';

const HASH = 0x23;
const ZERO = 0x30;

/**
 * Copies text of someone who is not trusted so that it can be shown and stands in one line: what is not UTF-8 becomes U+FFFD, byte by byte;
 * controls (below 0x20, 0x7f to 0x9f) and noncharacters become `#` and their number in octal, at least three digits.
 *
 * @param out has room for four bytes for each of the text
 * @returns the end of the copy in `out`
 */
export function scrubTo(bytes: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  let from = start;
  let to = at;
  while (from < end) {
    const plain = endOfPlain(bytes, from, end);
    to = copyTo(bytes, from, plain, out, to);
    if (plain === end) break;
    from = plain;
    const byte = bytes[from] as number;
    if (byte < 0x80) {
      to = writeOctal(byte, out, to);
      from++;
      continue;
    }
    const length = sequenceLength(bytes, from, end);
    if (length === 0) {
      out[to++] = 0xef;
      out[to++] = 0xbf;
      out[to++] = 0xbd;
      from++;
      continue;
    }
    const point = codePoint(bytes, from, length);
    if (isHarmful(point)) to = writeOctal(point, out, to);
    else for (let i = 0; i < length; i++) out[to++] = bytes[from + i] as number;
    from += length;
  }
  return to;
}

let words: DataView = new DataView(new ArrayBuffer(0));
/** What `words` sees: a reader has the same bytes for one message after the other. */
let wordsOf: Uint8Array | undefined;

/** Where printable ASCII ends. Most text is nothing else, so four bytes are looked at together. */
function endOfPlain(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  if (end - start >= 32) {
    if (bytes !== wordsOf) {
      words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      wordsOf = bytes;
    }
    for (; at + 4 <= end; at += 4) {
      const word = words.getInt32(at, true);
      // The highest bit of each byte: it has one, it is 0x7f, or it is not below 0x20. None carries into the next.
      if (((word | (word + 0x01010101) | ~(word + 0x60606060)) & 0x80808080) !== 0) break;
    }
  }
  while (at < end && (bytes[at] as number) >= 0x20 && (bytes[at] as number) < 0x7f) at++;
  return at;
}

/** {@link scrubTo} as a new array. */
export function scrub(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(4 * bytes.length);
  return out.slice(0, scrubTo(bytes, 0, bytes.length, out, 0));
}

/** C1 controls and noncharacters; what is below 0x80 has been seen to. */
function isHarmful(point: number): boolean {
  return point < 0xa0 || (point >= 0xfdd0 && point <= 0xfdef) || (point & 0xfffe) === 0xfffe;
}

function writeOctal(number: number, out: Uint8Array, at: number): number {
  let to = at;
  out[to++] = HASH;
  let digits = 3;
  while (number >> (3 * digits) !== 0) digits++;
  for (let i = digits - 1; i >= 0; i--) out[to++] = ZERO + ((number >> (3 * i)) & 7);
  return to;
}

/** Bytes of the well-formed sequence (Unicode table 3-7) that begins there, 0: there is none. */
function sequenceLength(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at] as number;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (at + length > end) return 0;
  const second = bytes[at + 1] as number;
  if (second < leastSecond(first) || second > greatestSecond(first)) return 0;
  for (let i = 2; i < length; i++) if (((bytes[at + i] as number) & 0xc0) !== 0x80) return 0;
  return length;
}

function leastSecond(first: number): number {
  return first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
}

function greatestSecond(first: number): number {
  return first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
}

function codePoint(bytes: Uint8Array, at: number, length: number): number {
  let point = (bytes[at] as number) & (0xff >> (length + 1));
  for (let i = 1; i < length; i++) point = (point << 6) | ((bytes[at + i] as number) & 0x3f);
  return point;
}
