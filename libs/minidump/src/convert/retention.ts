import type { CoreHeaders } from '../core/headers.ts';
import type { CoreNotes } from '../core/notes.ts';
import type { Ask } from '../core/reading.ts';
import type { Segment } from '../core/segment.ts';

/** Where the dynamic linker's list begins in a heap that is larger than what can be kept. */
const HEAP_START = 8 << 20;

/**
 * What of a stream to keep, up to a bound, for what is known only later: private memory that the process may write, except the
 * stacks, of which their readers take care. The heap comes first, in which the dynamic linker's list goes on, then the smallest.
 */
export function retained({ segments }: CoreHeaders, notes: CoreNotes | undefined, bound: number): Ask[] {
  const stacks = new Set<Segment | undefined>(notes?.threads.map(({ sp }) => segments.at(sp)));
  const files = new Set(notes?.files?.map(({ start }) => start));
  const writable = segments.list.filter(
    (segment) => segment.write && segment.fileSize > 0 && !stacks.has(segment),
  );
  const heap = notes?.files && writable.find(({ start }) => !files.has(start));
  const bySize = writable.filter((segment) => segment !== heap).sort((a, b) => a.fileSize - b.fileSize);
  const asks: Ask[] = [];
  let left = bound;
  const keep = ({ offset, fileSize }: Segment, most: number) => {
    const size = Math.min(fileSize, most, left);
    if (size > 0) asks.push({ offset, size });
    left -= size;
  };
  if (heap) keep(heap, HEAP_START);
  for (const segment of bySize) {
    if (segment.fileSize <= left) keep(segment, left);
  }
  // The names of the vDSO and of the dynamic linker lie at the beginning of images. Without the list of files nobody knows yet where
  // these begin, and where their dynamic sections are.
  const ofOthers = notes && !notes.files ? 1 << 16 : 1 << 13;
  for (const segment of segments.list) {
    if (!segment.write && segment.fileSize > 0) keep(segment, ofOthers);
  }
  return asks;
}
