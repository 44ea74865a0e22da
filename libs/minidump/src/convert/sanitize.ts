import type { Segments } from '../core/segment.ts';
import type { Cpu } from '../cpu/cpu.ts';
import type { MemoryRange } from '../dump/contents.ts';
import { viewOf } from '../record.ts';

/** What stands in place of a blanked word; a half of it with 32 bits. Breakpad has the same. */
export const BLANK = 0x0defaced;
/** Numbers up to this, with either sign, are no secrets: counts, flags, error numbers. */
const SMALL = 4096;

/** A copy of a stack in which every word is blanked that is neither an address of the process nor small. */
export function sanitizeStack(cpu: Cpu, segments: Segments, { start, bytes }: MemoryRange): MemoryRange {
  const width = cpu.bits / 8;
  const copy = bytes.slice();
  const view = viewOf(copy);
  const misaligned = Number(-start & BigInt(width - 1));
  blank(copy, 0, Math.min(misaligned, copy.length));
  let at = misaligned;
  for (; at + width <= copy.length; at += width) {
    const low = view.getUint32(at, true);
    const high = width === 8 ? view.getUint32(at + 4, true) : 0;
    if (high === 0 && low <= SMALL) continue;
    if (-low >>> 0 <= SMALL && low !== 0 && (width === 4 || high === 0xffffffff)) continue;
    if (segments.has(high * 0x100000000 + low)) continue;
    blank(copy, at, width);
  }
  if (at < copy.length) blank(copy, at, copy.length - at);
  return { start, bytes: copy };
}

function blank(bytes: Uint8Array, at: number, length: number): void {
  for (let index = 0; index < length; index++) bytes[at + index] = (BLANK >>> (8 * (index & 3))) & 0xff;
}
