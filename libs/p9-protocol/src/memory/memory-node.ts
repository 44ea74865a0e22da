import type { FileNode, Time } from '../filesystem.ts';
import type { Name } from '../name.ts';
import { Qid, QidType } from '../wire/qid.ts';
import { type Budget, Pages } from './pages.ts';
import { RangeLocks } from './range-locks.ts';

/** Type bits of a mode (inode(7)). */
export const FileKind = {
  mask: 0o170000,
  socket: 0o140000,
  symlink: 0o120000,
  regular: 0o100000,
  block: 0o060000,
  directory: 0o040000,
  character: 0o020000,
  fifo: 0o010000,
} as const;

/** An entry of a directory. Cookies grow with every entry made, so a listing can go on whatever has come and gone. */
export interface MemoryEntry {
  name: Uint8Array;
  node: MemoryNode;
  cookie: number;
}

/** A file of a `MemoryFileSystem`. It lives as long as it has a name or a fid. */
export class MemoryNode implements FileNode {
  readonly qid: Qid;
  mode: number;
  uid: number;
  gid: number;
  links = 1;
  /** Fids that denote it. */
  references = 0;
  atime: Time;
  mtime: Time;
  ctime: Time;
  readonly birth: Time;
  /** Regular files: what they hold. */
  readonly pages: Pages | undefined;
  /** Directories: entries by their names' bytes, in order of their cookies. */
  readonly entries: Map<string, MemoryEntry> | undefined;
  /** Directories: where `..` leads; itself for the root and for what was removed. */
  parent: MemoryNode;
  /** Symlinks: where they lead. */
  target: Uint8Array = new Uint8Array();
  /** Device nodes: major and minor. */
  device: readonly [major: number, minor: number] = [0, 0];
  readonly xattrs = new Map<string, Uint8Array>();
  readonly locks = new RangeLocks();
  #nextCookie = 3;

  constructor(number: number, mode: number, owner: { uid: number; gid: number }, budget: Budget) {
    const kind = mode & FileKind.mask;
    const isDirectory = kind === FileKind.directory;
    this.qid = new Qid(
      isDirectory ? QidType.directory : kind === FileKind.symlink ? QidType.symlink : QidType.file,
      0,
      number,
    );
    this.mode = mode;
    this.uid = owner.uid;
    this.gid = owner.gid;
    this.birth = now();
    this.atime = this.birth;
    this.mtime = this.birth;
    this.ctime = this.birth;
    this.pages = kind === FileKind.regular ? new Pages(budget) : undefined;
    this.entries = isDirectory ? new Map() : undefined;
    this.parent = this;
  }

  get kind(): number {
    return this.mode & FileKind.mask;
  }

  get size(): number {
    if (this.pages !== undefined) return this.pages.size;
    return this.entries === undefined ? this.target.length : this.entries.size;
  }

  /** Content has changed: the version of the qid follows. */
  modified(): void {
    this.mtime = now();
    this.ctime = this.mtime;
    this.qid.version = (this.qid.version + 1) >>> 0;
  }

  changed(): void {
    this.ctime = now();
  }

  find(name: Name): MemoryNode | undefined {
    return this.entries?.get(keyOf(name))?.node;
  }

  add(name: Name, node: MemoryNode): void {
    const bytes = name.toBytes();
    this.entries?.set(keyOf(name), { name: bytes, node, cookie: this.#nextCookie++ });
    if (node.entries !== undefined) {
      node.parent = this;
      this.links++;
    }
    this.modified();
  }

  remove(name: Name): void {
    const node = this.find(name);
    this.entries?.delete(keyOf(name));
    if (node?.entries !== undefined) {
      node.parent = node;
      this.links--;
    }
    this.modified();
  }
}

export function now(): Time {
  const ms = Date.now();
  return { seconds: Math.floor(ms / 1000), nanoseconds: (ms % 1000) * 1_000_000 };
}

/** Names are bytes; as a key each byte is a character. */
export function keyOf({ bytes, start, length }: Name): string {
  let key = '';
  for (let at = start; at < start + length; at++) key += String.fromCharCode(bytes[at] as number);
  return key;
}
