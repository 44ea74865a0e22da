import { findMatches } from './matches.ts';

/** Of the instruction 001LLLLL, the only copy that is written here. */
const MAX_DISTANCE = 0x4000;
const COPY = 0x20;
const MOST_IN_COPY = 31;
const MOST_IN_LITERALS = 15;
const MOST_IN_FIRST = 238;
/** A copy from no distance. */
const END = [0x11, 0, 0];

/** An LZO1X stream of version 0 (Documentation/staging/lzo.rst). */
export function compressLzo(data: Uint8Array): Uint8Array {
  const out: number[] = [];
  for (const { literals, distance, length } of findMatches(data, { maxDistance: MAX_DISTANCE })) {
    pushLiterals(out, literals);
    if (length === 0) break;
    pushLength(out, COPY, length - 2, MOST_IN_COPY);
    out.push(((distance - 1) << 2) & 0xff, (distance - 1) >>> 6);
  }
  out.push(...END);
  return Uint8Array.from(out);
}

/** Up to three of them are counted in the last byte but one of the copy before; more have an instruction of their own. */
function pushLiterals(out: number[], literals: Uint8Array): void {
  if (literals.length === 0) return;
  if (out.length === 0 && literals.length <= MOST_IN_FIRST) out.push(literals.length + 17);
  else if (literals.length <= 3) out[out.length - 2] = (out.at(-2) as number) | literals.length;
  else pushLength(out, 0, literals.length - 3, MOST_IN_LITERALS);
  for (const byte of literals) out.push(byte);
}

function pushLength(out: number[], instruction: number, length: number, most: number): void {
  if (length <= most) {
    out.push(instruction | length);
    return;
  }
  out.push(instruction);
  let rest = length - most;
  for (; rest > 255; rest -= 255) out.push(0);
  out.push(rest);
}
