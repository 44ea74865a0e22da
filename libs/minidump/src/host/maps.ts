import type { FileMapping } from '../core/file-mapping.ts';

/** A line of /proc/PID/maps. */
export interface MapsLine extends FileMapping {
  readonly inode: number;
}

const LINE = /^([0-9a-f]+)-([0-9a-f]+) [-r][-w][-x][ps] ([0-9a-f]+) [0-9a-f]+:[0-9a-f]+ (\d+)(?: +(.*))?$/;

/** The lines of /proc/PID/maps; what is no such line is left out. The kernel writes a newline in a name as `\012`. */
export function parseMaps(text: string): MapsLine[] {
  return text.split('\n').flatMap((line) => {
    const [, start, end, offset, inode, path = ''] = LINE.exec(line) ?? [];
    if (start === undefined) return [];
    return {
      start: BigInt(`0x${start}`),
      end: BigInt(`0x${end}`),
      fileOffset: BigInt(`0x${offset}`),
      inode: Number(inode),
      path: path.replaceAll('\\012', '\n'),
    };
  });
}
