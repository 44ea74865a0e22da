/** One member of an archive; paths are relative, without a leading slash. */
export type CpioEntry =
  | { readonly type: 'file'; readonly path: string; readonly data: Uint8Array; readonly mode?: number }
  | { readonly type: 'folder'; readonly path: string; readonly mode?: number }
  | { readonly type: 'link'; readonly path: string; readonly target: string }
  | {
      readonly type: 'character-device';
      readonly path: string;
      readonly major: number;
      readonly minor: number;
      readonly mode?: number;
    };

const kinds = {
  file: { format: 0o100000, mode: 0o644 },
  folder: { format: 0o040000, mode: 0o755 },
  link: { format: 0o120000, mode: 0o777 },
  'character-device': { format: 0o020000, mode: 0o600 },
} as const;

const TRAILER = 'TRAILER!!!';

/**
 * An archive in the format "newc", which the kernel unpacks as initramfs: all owned by root, times zero, so that equal
 * entries give equal bytes. Folders come before what is in them; missing ones are added. Archives may be joined.
 * Source: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
 */
export function cpio(entries: readonly CpioEntry[]): Buffer {
  const chunks: Uint8Array[] = [];
  let inode = 1;
  for (const entry of withFolders(entries)) {
    const data =
      entry.type === 'file'
        ? entry.data
        : entry.type === 'link'
          ? Buffer.from(entry.target)
          : new Uint8Array();
    const device = entry.type === 'character-device' ? [entry.major, entry.minor] : [0, 0];
    const { format, mode } = kinds[entry.type];
    const permissions = entry.type === 'link' ? mode : (entry.mode ?? mode);
    chunks.push(...member(entry.path, data, [inode++, format | permissions, device[0] ?? 0, device[1] ?? 0]));
  }
  chunks.push(...member(TRAILER, new Uint8Array(), [0, 0, 0, 0]));
  return Buffer.concat(chunks);
}

function withFolders(entries: readonly CpioEntry[]): CpioEntry[] {
  const known = new Set(['']);
  const all: CpioEntry[] = [];
  for (const entry of entries) {
    const parts = entry.path.split('/');
    if (parts.some((part) => part === '' || part === '.' || part === '..'))
      throw new RangeError(`${JSON.stringify(entry.path)} is not a plain relative path`);
    for (let depth = 1; depth < parts.length; depth++) {
      const path = parts.slice(0, depth).join('/');
      if (!known.has(path)) all.push({ type: 'folder', path });
      known.add(path);
    }
    if (entry.type === 'folder' && known.has(entry.path)) continue;
    known.add(entry.path);
    all.push(entry);
  }
  return all;
}

function member(
  path: string,
  data: Uint8Array,
  [inode = 0, mode = 0, major = 0, minor = 0]: number[],
): Uint8Array[] {
  const name = Buffer.from(`${path}\0`);
  // inode mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, major, minor, name.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return [header, name, padding(header.length + name.length), data, padding(data.length)];
}

function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}
