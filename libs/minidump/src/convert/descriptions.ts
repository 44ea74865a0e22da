import type { FileMapping } from '../core/file-mapping.ts';
import type { Module } from '../core/modules.ts';
import type { Segment, Segments } from '../core/segment.ts';
import type { MemoryInfo } from '../dump/contents.ts';
import { MemoryState } from '../dump/records.ts';

/** PAGE_* of Windows, by the bits read 4, write 2, execute 1. */
const PROTECTION = [0x01, 0x10, 0x04, 0x40, 0x02, 0x20, 0x04, 0x40];

/** The memory of a process, by the segments of its core. */
export function memoryInfoOf(
  segments: Segments,
  mappings: readonly FileMapping[],
  modules: readonly Module[],
): MemoryInfo[] {
  const files = new Set(mappings.map(({ start }) => start));
  const ascending = [...modules].sort((a, b) => (a.base < b.base ? -1 : 1));
  let next = 0;
  return segments.list.map(({ start, end, ...segment }) => {
    while (next < ascending.length && endOf(ascending[next] as Module) <= start) next++;
    const module = ascending[next];
    const inModule = module && module.base <= start;
    const protection = PROTECTION[flagsOf(segment)] as number;
    return {
      base: start,
      allocationBase: inModule ? module.base : start,
      size: end - start,
      state: MemoryState.commit,
      allocationProtection: protection,
      protection,
      type: inModule ? MemoryState.image : files.has(start) ? MemoryState.mapped : MemoryState.private,
    };
  });
}

function endOf({ base, size }: Module): bigint {
  return base + BigInt(size);
}

function flagsOf({ read, write, execute }: Pick<Segment, 'read' | 'write' | 'execute'>): number {
  return (read ? 4 : 0) | (write ? 2 : 0) | (execute ? 1 : 0);
}

/** What /proc/PID/maps would say, as far as a core tells: not which memory is shared, and no inodes. */
export function mapsOf(segments: Segments, mappings: readonly FileMapping[]): Uint8Array {
  const files = new Map(mappings.map((mapping) => [mapping.start, mapping]));
  const lines = segments.list.map(({ start, end, read, write, execute }) => {
    const file = files.get(start);
    const flags = `${read ? 'r' : '-'}${write ? 'w' : '-'}${execute ? 'x' : '-'}p`;
    const offset = padded(file?.fileOffset ?? 0n);
    const path = file ? ` ${file.path.replaceAll('\n', '\\012')}` : '';
    return `${padded(start)}-${padded(end)} ${flags} ${offset} 00:00 0${path}\n`;
  });
  return new TextEncoder().encode(lines.join(''));
}

function padded(address: bigint): string {
  return address.toString(16).padStart(8, '0');
}
