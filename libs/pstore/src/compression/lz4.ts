import { corrupt, Output } from './bits.ts';

/** Of the block format: matches have at least these bytes, the last ones are literals, and matches end before that. */
const MIN_MATCH = 4;
const LAST_LITERALS = 5;
const MATCH_FREE_END = 12;
/** What follows literals that are not the last: a distance, a token and the last literals. */
const AFTER_LITERALS = 2 + 1 + LAST_LITERALS;
const LONG = 15;

/**
 * Decompresses an LZ4 block (lz4_Block_format.md), with the rules for its end that LZ4_decompress_safe() holds it to.
 *
 * @throws {CorruptData}
 */
export function decompressLz4(source: Uint8Array, limit: number): Uint8Array {
  const output = new Output(limit);
  let at = 0;
  const next = () => source[at++] ?? corrupt('the input ends early');
  for (;;) {
    const token = next();
    let literals = token >>> 4;
    if (literals === LONG) {
      for (let byte = 255; byte === 255; ) {
        byte = next();
        literals += byte;
        if (at >= source.length - LONG) break;
      }
    }
    const isLast = literals > output.room - MATCH_FREE_END || at + literals > source.length - AFTER_LITERALS;
    if (isLast && at + literals !== source.length) corrupt('the last literals do not end the input');
    output.append(source, at, literals);
    at += literals;
    if (isLast) return output.take();
    const distance = next() | (next() << 8);
    let length = (token & 15) + MIN_MATCH;
    if (length === LONG + MIN_MATCH) {
      for (let byte = 255; byte === 255; ) {
        byte = next();
        if (at > source.length - LAST_LITERALS) corrupt('the input ends early');
        length += byte;
      }
    }
    if (length > output.room - LAST_LITERALS) corrupt('more than allowed');
    output.repeat(distance, length);
  }
}
