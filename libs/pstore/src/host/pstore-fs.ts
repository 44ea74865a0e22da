import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { decompressDump } from '../compression/decompress.ts';
import { readHead } from '../dmesg.ts';

/** A file of a pstore filesystem, or of an archive of one. */
export interface PstoreFile {
  /** From the directory that was read. */
  readonly path: string;
  /** `dmesg`, `console`, `pmsg`, `ftrace`, `mce`, `powerpc-ofw`, ... */
  readonly type: string;
  /** `ramoops`, `efi`, `efi_pstore`, `erst`, `nvram`, `pstore_blk`, ... */
  readonly backend: string;
  readonly id: bigint;
  /** Decompressed, where the kernel could not and we can. */
  readonly data: Uint8Array;
  /** That of the file; the kernel gives it the record's, where that has one. */
  readonly modified: Date;
}

/** A dump of the kernel's log, put together of its parts. */
export interface PstoreDump {
  readonly backend: string;
  readonly reason: string | undefined;
  /** The how-manieth of its boot. */
  readonly count: number | undefined;
  /** In the order of the log: part 1 is the newest and last. */
  readonly files: readonly PstoreFile[];
  /** Numbers of parts that are not there, though there are later ones. */
  readonly missingParts: readonly number[];
  /** The log, without the first line of each part. */
  readonly log: Uint8Array;
  readonly modified: Date;
}

export type EmptyReason =
  /** The directory is not there: the kernel is built without pstore, or nothing is mounted. */
  | 'no-directory'
  | 'not-mounted'
  /** The kernel has no backend that keeps records. */
  | 'no-backend'
  | 'no-permission'
  | 'nothing-recorded';

export interface PstoreFs {
  readonly files: readonly PstoreFile[];
  /** The newest first. */
  readonly dumps: readonly PstoreDump[];
  /** Why there are no files; undefined when there are. */
  readonly empty: { readonly reason: EmptyReason; readonly message: string } | undefined;
  /** Directories and files that could not be read. */
  readonly unreadable: readonly { readonly path: string; readonly code: string }[];
}

export interface PstoreFsOptions {
  /** Where the root of that system is, for one that is mounted elsewhere; default `/`. */
  readonly root?: string;
}

/** Where the kernel shows its records. */
export const PSTORE_DIRECTORY = '/sys/fs/pstore';
/** PSTORE_NAME-BACKEND-ID; of backends only ERST and EFI have long ids. */
const FILE_NAME = /^([a-z][a-z0-9-]*?)-([a-z][a-z0-9_]*)-(\d+)(\.enc\.z)?$/;
/** systemd-pstore makes folders within folders: by id, and for EFI by count. */
const DEPTH = 4;
/** No record is nearly as large. */
const MOST_BYTES = 1 << 30;

/**
 * Reads a pstore filesystem, or what systemd-pstore(8) has archived of one (/var/lib/systemd/pstore), and puts dumps together that
 * a backend with little room, such as EFI variables or ERST, had to store in parts.
 *
 * It never throws for what is not there or must not be read: see `empty` and `unreadable`.
 */
export function readPstoreFs(
  directory: string = PSTORE_DIRECTORY,
  { root = '/' }: PstoreFsOptions = {},
): PstoreFs {
  const unreadable: { path: string; code: string }[] = [];
  const attempt = <Value>(path: string, read: () => Value): Value | undefined => {
    try {
      return read();
    } catch (error) {
      unreadable.push({ path, code: (error as NodeJS.ErrnoException).code ?? String(error) });
      return undefined;
    }
  };
  const files: PstoreFile[] = [];
  const walk = (folder: string, depth: number) => {
    const entries = attempt(folder, () => readdirSync(folder, { withFileTypes: true })) ?? [];
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && depth < DEPTH) walk(path, depth + 1);
      const [, type, backend, id, packed] = (entry.isFile() && FILE_NAME.exec(entry.name)) || [];
      if (type === undefined || backend === undefined || id === undefined) continue;
      const file = attempt(path, () => {
        const { mtime, size } = statSync(path);
        if (size > MOST_BYTES) throw Object.assign(new Error(path), { code: 'EFBIG' });
        return { stored: readFileSync(path), modified: mtime };
      });
      if (!file) continue;
      const { stored, modified } = file;
      const data = (packed && decompressDump(stored, stored.length)?.data) || stored;
      const from = relative(join(root, directory), path).split(sep).join('/');
      files.push({ path: from, type, backend, id: BigInt(id), data, modified });
    }
  };
  walk(join(root, directory), 0);
  const empty = files.length > 0 ? undefined : whyEmpty(directory, root, unreadable);
  return { files, dumps: joinDumps(files), empty, unreadable };
}

interface Part {
  readonly file: PstoreFile;
  readonly head: ReturnType<typeof readHead>;
}

/** Parts are written one after the other, each with the time of its own. */
const MOST_SECONDS_APART = 10;

/** Puts the parts of dumps together: of the same folder, backend, reason and number, and of about the same time. */
function joinDumps(files: readonly PstoreFile[]): PstoreDump[] {
  const groups: { readonly key: string; readonly parts: Part[] }[] = [];
  for (const file of files) {
    if (file.type !== 'dmesg') continue;
    const head = readHead(file.data);
    const folder = file.path.split('/').slice(0, -1).join('/');
    const key = [folder, file.backend, head.reason ?? file.path, head.count].join('\n');
    const isOf = (group: (typeof groups)[number]) =>
      group.key === key &&
      group.parts.every(
        (part) =>
          part.head.part !== head.part &&
          Math.abs(secondsOf(part.file) - secondsOf(file)) <= MOST_SECONDS_APART,
      );
    const group = groups.find(isOf);
    if (group) group.parts.push({ file, head });
    else groups.push({ key, parts: [{ file, head }] });
  }
  return groups
    .map(({ parts }) => joinParts(parts))
    .sort(
      // Of dumps of one second, which are of one boot, the later has the higher count.
      (a, b) => b.modified.getTime() - a.modified.getTime() || (b.count ?? 0) - (a.count ?? 0),
    );
}

function joinParts(parts: readonly Part[]): PstoreDump {
  const ordered = [...parts].sort(
    (a, b) => (b.head.part ?? 0) - (a.head.part ?? 0) || (a.file.id < b.file.id ? -1 : 1),
  );
  const [first] = ordered;
  const { file, head } = first as (typeof ordered)[number];
  const numbers = new Set(ordered.map((part) => part.head.part));
  const missingParts = Array.from({ length: head.part ?? 0 }, (_, index) => index + 1).filter(
    (part) => !numbers.has(part),
  );
  return {
    backend: file.backend,
    reason: head.reason,
    count: head.count,
    files: ordered.map((part) => part.file),
    missingParts,
    log: Buffer.concat(ordered.map((part) => part.head.log)),
    modified: new Date(Math.max(...ordered.map((part) => part.file.modified.getTime()))),
  };
}

/** EFI's ids are (seconds * 100 + part) * 1000 + count (drivers/firmware/efi/efi-pstore.c), and outlast archiving. */
function secondsOf({ backend, id, modified }: PstoreFile): number {
  return backend.startsWith('efi') ? Number(id / 100_000n) : modified.getTime() / 1000;
}

function whyEmpty(
  directory: string,
  root: string,
  unreadable: readonly { path: string; code: string }[],
): NonNullable<PstoreFs['empty']> {
  const code = unreadable[0]?.code;
  if (code === 'EACCES' || code === 'EPERM') {
    return {
      reason: 'no-permission',
      message: `${unreadable[0]?.path} can be read by root alone: run it as root`,
    };
  }
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return { reason: 'no-directory', message: `there is no directory ${directory}` };
  }
  const nothing = {
    reason: 'nothing-recorded',
    message: `${directory} is empty: nothing has been recorded`,
  } as const;
  if (directory !== PSTORE_DIRECTORY) return nothing;
  const isMounted = / \/sys\/fs\/pstore pstore /.test(textOf(join(root, 'proc/self/mounts')) ?? '');
  if (!isMounted) {
    const message = 'no pstore filesystem is mounted: mount -t pstore pstore /sys/fs/pstore';
    return { reason: 'not-mounted', message };
  }
  const backend = textOf(join(root, 'sys/module/pstore/parameters/backend'))?.trim();
  if (backend === '(null)' || backend === '') {
    const message =
      'the kernel has no backend that keeps records: give it EFI variables, ERST, or a ramoops region';
    return { reason: 'no-backend', message };
  }
  return { ...nothing, message: `${nothing.message}${backend ? ` by ${backend}` : ''}` };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
