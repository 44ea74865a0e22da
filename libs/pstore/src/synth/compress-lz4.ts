import { findMatches } from './matches.ts';

/** The farthest that two bytes can say, and how the block format wants to end. */
const MAX_DISTANCE = 0xffff;
const MATCH_FREE_END = 12;

/** An LZ4 block. */
export function compressLz4(data: Uint8Array): Uint8Array {
  const out: number[] = [];
  for (const { literals, distance, length } of findMatches(data, {
    maxDistance: MAX_DISTANCE,
    tail: MATCH_FREE_END,
  })) {
    const extra = length === 0 ? 0 : length - 4;
    out.push((Math.min(literals.length, 15) << 4) | Math.min(extra, 15));
    if (literals.length >= 15) pushLength(out, literals.length - 15);
    for (const byte of literals) out.push(byte);
    if (length === 0) break;
    out.push(distance & 0xff, distance >>> 8);
    if (extra >= 15) pushLength(out, extra - 15);
  }
  return Uint8Array.from(out);
}

function pushLength(out: number[], length: number): void {
  let rest = length;
  for (; rest >= 255; rest -= 255) out.push(255);
  out.push(rest);
}
