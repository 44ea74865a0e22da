import { elf } from '../elf/elf.ts';
import type { SoftErrors } from '../errors.ts';
import { viewOf } from '../record.ts';

/** A part of a file that the process had mapped: an entry of NT_FILE, or a line of /proc/PID/maps. */
export interface FileMapping {
  readonly start: bigint;
  readonly end: bigint;
  /** Where in the file, in bytes. */
  readonly fileOffset: bigint;
  /** As the kernel tells it; ` (deleted)` is appended when the file is gone. */
  readonly path: string;
}

const DELETED = ' (deleted)';

/** The name that a mapped file had. */
export function fileNameOf(path: string): string {
  return path.endsWith(DELETED) ? path.slice(0, -DELETED.length) : path;
}

/** The mappings of NT_FILE, ascending; those that cannot be right are left out and recorded. */
export function fileMappingsOf(bytes: Uint8Array, bits: 32 | 64, errors: SoftErrors): FileMapping[] {
  const { word } = elf[bits];
  const view = viewOf(bytes);
  if (bytes.length < 2 * word.size) {
    errors.add('NOTE_MALFORMED', `NT_FILE has ${bytes.length} bytes`);
    return [];
  }
  const claimed = word.read(view).value;
  const pageSize = word.read(view, word.size).value;
  const room = Math.floor((bytes.length - 2 * word.size) / (3 * word.size));
  if (claimed > BigInt(room)) {
    errors.add('NOTE_MALFORMED', `NT_FILE claims ${claimed} mappings, and has room for ${room}`);
  }
  const count = claimed > BigInt(room) ? room : Number(claimed);
  const mappings: FileMapping[] = [];
  let name = (2 + 3 * count) * word.size;
  const decoder = new TextDecoder();
  for (let index = 0; index < count; index++) {
    const at = (2 + 3 * index) * word.size;
    const nameEnd = bytes.indexOf(0, name);
    if (name >= bytes.length || nameEnd < 0) {
      errors.add('NOTE_MALFORMED', `NT_FILE has names for ${index} of its ${count} mappings`);
      break;
    }
    const path = decoder.decode(bytes.subarray(name, nameEnd));
    name = nameEnd + 1;
    const start = word.read(view, at).value;
    const end = word.read(view, at + word.size).value;
    if (start >= end)
      errors.add('NOTE_MALFORMED', `NT_FILE has a mapping that ends where it begins or before: ${path}`);
    else
      mappings.push({ start, end, fileOffset: word.read(view, at + 2 * word.size).value * pageSize, path });
  }
  return mappings.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
}
