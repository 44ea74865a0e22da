import { Errno, P9Error } from '../errno.ts';
import type {
  AttributeChanges,
  Created,
  FileSystem,
  FileSystemStatus,
  LockDescription,
  LockRequest,
} from '../filesystem.ts';
import { Name } from '../name.ts';
import type { Attributes } from '../server/attributes.ts';
import type { DirectoryEntries } from '../server/directory-entries.ts';
import { GetattrMask, LockType, OpenFlags, UNLINK_DIRECTORY, XattrFlags } from '../wire/flags.ts';
import type { Qid } from '../wire/qid.ts';
import { listFrom, MemoryFile, next } from './memory-file.ts';
import { FileKind, keyOf, MemoryNode, now } from './memory-node.ts';
import { Budget } from './pages.ts';

const PERMISSIONS = 0o7777;
const NAME_MAX = 255;
const NO_ID = 0xffffffff;
/** V9FS_MAGIC, which statfs(2) of a 9P mount shows anyway. */
const MAGIC = 0x01021997;
const BLOCK = 4096;

/** Initial content: a directory's entries by name; files as text (UTF-8) or bytes. */
export interface MemoryTree {
  readonly [name: string]: string | Uint8Array | MemoryTree;
}

export interface MemoryFileSystemOptions {
  /** What is there from the start. */
  tree?: MemoryTree;
  /** Most bytes that files may hold, in pages of 64 KiB; ENOSPC beyond. Default 1 GiB. */
  maxBytes?: number;
  /** Most files and directories; ENOSPC beyond. Default 1,000,000. */
  maxFiles?: number;
  /** Owner of everything that is made. Default 0. */
  uid?: number;
  gid?: number;
}

/** A filesystem in memory, of everything that a Linux guest can ask for. Runs in a browser. Permissions are the client's to check. */
export class MemoryFileSystem implements FileSystem<MemoryNode, MemoryFile> {
  readonly #budget: Budget;
  readonly #maxFiles: number;
  readonly #uid: number;
  readonly #gid: number;
  readonly #root: MemoryNode;
  #files = 0;
  #nextNumber = 1;

  constructor(options: MemoryFileSystemOptions = {}) {
    this.#budget = new Budget(options.maxBytes ?? 1 << 30);
    this.#maxFiles = options.maxFiles ?? 1_000_000;
    this.#uid = options.uid ?? 0;
    this.#gid = options.gid ?? 0;
    this.#root = this.#newNode(FileKind.directory | 0o755, NO_ID);
    this.#root.links = 2;
    this.#fill(this.#root, options.tree ?? {});
  }

  #fill(directory: MemoryNode, tree: MemoryTree): void {
    for (const [text, content] of Object.entries(tree)) {
      const name = Name.from(text);
      if (!name.isEntryName()) throw new P9Error('EINVAL', `${JSON.stringify(text)} cannot name a file`);
      if (typeof content === 'string' || content instanceof Uint8Array) {
        const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
        const node = this.#newNode(FileKind.regular | 0o644, NO_ID);
        const written = node.pages?.write(0, bytes, 0, bytes.length) ?? 0;
        if (written < bytes.length) throw new P9Error('ENOSPC', `maxBytes is too small for ${text}`);
        directory.add(name, node);
      } else {
        const node = this.#newNode(FileKind.directory | 0o755, NO_ID);
        node.links = 2;
        directory.add(name, node);
        this.#fill(node, content as MemoryTree);
      }
    }
  }

  attach(): MemoryNode {
    this.#root.references++;
    return this.#root;
  }

  walk(directory: MemoryNode, name: Name): MemoryNode | number {
    const node = entryOf(directory, name);
    if (typeof node !== 'number') node.references++;
    return node;
  }

  retain(node: MemoryNode): void {
    node.references++;
  }

  release(node: MemoryNode): void {
    node.references--;
    this.#letGo(node);
  }

  /** Frees the room of what has neither name nor fid. */
  #letGo(node: MemoryNode): void {
    if (node.links > 0 || node.references > 0) return;
    node.pages?.truncate(0);
    this.#files--;
  }

  // Attributes

  getattr(node: MemoryNode, _mask: number, attributes: Attributes): void {
    attributes.valid = GetattrMask.basic | GetattrMask.btime;
    attributes.mode = node.mode;
    attributes.uid = node.uid;
    attributes.gid = node.gid;
    attributes.nlink = node.links;
    const [major, minor] = node.device;
    attributes.rdev =
      ((BigInt(major) & 0xfffff000n) << 32n) |
      ((BigInt(major) & 0xfffn) << 8n) |
      ((BigInt(minor) & 0xffffff00n) << 12n) |
      (BigInt(minor) & 0xffn);
    attributes.size = node.size;
    attributes.blksize = BLOCK;
    attributes.blocks = Math.ceil((node.pages?.allocated ?? 0) / 512);
    attributes.atimeSec = node.atime.seconds;
    attributes.atimeNsec = node.atime.nanoseconds;
    attributes.mtimeSec = node.mtime.seconds;
    attributes.mtimeNsec = node.mtime.nanoseconds;
    attributes.ctimeSec = node.ctime.seconds;
    attributes.ctimeNsec = node.ctime.nanoseconds;
    attributes.btimeSec = node.birth.seconds;
    attributes.btimeNsec = node.birth.nanoseconds;
  }

  setattr(node: MemoryNode, changes: AttributeChanges): number {
    if (Object.keys(changes).length === 0) return 0;
    const { mode, uid, gid, size, atime, mtime } = changes;
    if (mode !== undefined && node.kind === FileKind.symlink) return -Errno.EOPNOTSUPP;
    if (size !== undefined) {
      if (node.pages === undefined) return node.entries === undefined ? -Errno.EINVAL : -Errno.EISDIR;
      node.pages.truncate(size);
      node.modified();
    }
    if (mode !== undefined) node.mode = node.kind | (mode & PERMISSIONS);
    if (uid !== undefined && uid !== NO_ID) node.uid = uid;
    if (gid !== undefined && gid !== NO_ID) node.gid = gid;
    if (atime !== undefined) node.atime = atime === 'now' ? now() : atime;
    if (mtime !== undefined) node.mtime = mtime === 'now' ? now() : mtime;
    node.changed();
    return 0;
  }

  statfs(): FileSystemStatus {
    const free = Math.floor((this.#budget.limit - this.#budget.used) / BLOCK);
    return {
      type: MAGIC,
      blockSize: BLOCK,
      blocks: Math.floor(this.#budget.limit / BLOCK),
      freeBlocks: free,
      availableBlocks: free,
      files: this.#maxFiles,
      freeFiles: this.#maxFiles - this.#files,
      id: 0,
      nameLength: NAME_MAX,
    };
  }

  readlink(node: MemoryNode, buffer: Uint8Array, start: number, capacity: number): number {
    if (node.kind !== FileKind.symlink) return -Errno.EINVAL;
    const part = node.target.subarray(0, capacity);
    buffer.set(part, start);
    return part.length;
  }

  // Open files

  open(node: MemoryNode, flags: number): MemoryFile | number {
    const writes = (flags & OpenFlags.accessMode) !== OpenFlags.readOnly;
    if (node.entries !== undefined && (writes || (flags & OpenFlags.truncate) !== 0)) return -Errno.EISDIR;
    if (node.entries === undefined && (flags & OpenFlags.directory) !== 0) return -Errno.ENOTDIR;
    if (node.kind === FileKind.symlink) return -Errno.ELOOP;
    if (node.pages === undefined && node.entries === undefined) return -Errno.ENXIO;
    if ((flags & OpenFlags.truncate) !== 0) {
      node.pages?.truncate(0);
      node.modified();
    }
    return new MemoryFile(node, flags);
  }

  close(file: MemoryFile): void {
    file.node.locks.release(file.owners.values());
  }

  read(file: MemoryFile, offset: number, buffer: Uint8Array, start: number, count: number): number {
    const { pages, entries } = file.node;
    if (pages === undefined) return entries === undefined ? -Errno.EINVAL : -Errno.EISDIR;
    if ((file.flags & OpenFlags.accessMode) === OpenFlags.writeOnly) return -Errno.EBADF;
    return pages.read(offset, buffer, start, count);
  }

  write(file: MemoryFile, offset: number, buffer: Uint8Array, start: number, count: number): number {
    const { node, flags } = file;
    if (node.pages === undefined || (flags & OpenFlags.accessMode) === OpenFlags.readOnly)
      return -Errno.EBADF;
    const at = (flags & OpenFlags.append) === 0 ? offset : node.pages.size;
    if (at + count > Number.MAX_SAFE_INTEGER) return -Errno.EFBIG;
    const written = node.pages.write(at, buffer, start, count);
    if (written > 0) node.modified();
    return written;
  }

  readdir(file: MemoryFile, cookie: bigint, entries: DirectoryEntries): number {
    const { node } = file;
    if (node.entries === undefined) return -Errno.ENOTDIR;
    const room = entries.room;
    if (cookie < 1n && !entries.add('.', node.qid, 1, 4)) return -Errno.EINVAL;
    if (cookie < 2n && !entries.add('..', node.parent.qid, 2, 4)) return 0;
    const listing = file.listing?.last === cookie ? file.listing : listFrom(node.entries, cookie);
    file.listing = listing;
    for (let entry = listing.ahead; entry !== undefined; entry = listing.ahead) {
      const { name, node: child } = entry;
      if (!entries.add(name, child.qid, entry.cookie, child.kind >> 12)) {
        return entries.room === room ? -Errno.EINVAL : 0;
      }
      listing.last = BigInt(entry.cookie);
      listing.ahead = next(listing.entries);
    }
    // What is added from now on is not seen by an iterator that has come to its end.
    file.listing = undefined;
    return 0;
  }

  lock(file: MemoryFile, request: LockRequest): number {
    const { type, clientId, procId } = request;
    if (!isLockType(type)) return -Errno.EINVAL;
    file.owners.set(`${procId}:${clientId}`, { clientId, procId });
    return file.node.locks.set(request);
  }

  getlock(file: MemoryFile, request: LockRequest): LockDescription | number {
    if (!isLockType(request.type)) return -Errno.EINVAL;
    return file.node.locks.find(request);
  }

  // Names

  create(
    directory: MemoryNode,
    name: Name,
    flags: number,
    mode: number,
    gid: number,
  ): Created<MemoryNode, MemoryFile> | number {
    const existing = directory.find(name);
    if (existing !== undefined) {
      if ((flags & OpenFlags.exclusive) !== 0) return -Errno.EEXIST;
      const opened = existing.entries === undefined ? this.open(existing, flags) : -Errno.EISDIR;
      if (typeof opened === 'number') return opened;
      existing.references++;
      return { node: existing, file: opened };
    }
    const node = this.#make(directory, name, FileKind.regular | (mode & PERMISSIONS), gid);
    if (typeof node === 'number') return node;
    node.references++;
    return { node, file: new MemoryFile(node, flags) };
  }

  mkdir(directory: MemoryNode, name: Name, mode: number, gid: number): Qid | number {
    const node = this.#make(directory, name, FileKind.directory | (mode & PERMISSIONS), gid);
    if (typeof node === 'number') return node;
    node.links = 2;
    return node.qid;
  }

  symlink(directory: MemoryNode, name: Name, target: Name, gid: number): Qid | number {
    if (target.length === 0) return -Errno.ENOENT;
    const node = this.#make(directory, name, FileKind.symlink | 0o777, gid);
    if (typeof node === 'number') return node;
    node.target = target.toBytes();
    return node.qid;
  }

  mknod(
    directory: MemoryNode,
    name: Name,
    mode: number,
    major: number,
    minor: number,
    gid: number,
  ): Qid | number {
    const kind = mode & FileKind.mask || FileKind.regular;
    if (kind === FileKind.directory || kind === FileKind.symlink) return -Errno.EINVAL;
    const node = this.#make(directory, name, kind | (mode & PERMISSIONS), gid);
    if (typeof node === 'number') return node;
    node.device = [major, minor];
    return node.qid;
  }

  #make(directory: MemoryNode, name: Name, mode: number, gid: number): MemoryNode | number {
    const refused = refusesEntry(directory, name);
    if (refused !== 0) return refused;
    if (directory.find(name) !== undefined) return -Errno.EEXIST;
    if (this.#files >= this.#maxFiles) return -Errno.ENOSPC;
    const node = this.#newNode(mode, gid);
    directory.add(name, node);
    return node;
  }

  #newNode(mode: number, gid: number): MemoryNode {
    this.#files++;
    const owner = { uid: this.#uid, gid: gid === NO_ID ? this.#gid : gid };
    return new MemoryNode(this.#nextNumber++, mode, owner, this.#budget);
  }

  link(directory: MemoryNode, node: MemoryNode, name: Name): number {
    const refused = refusesEntry(directory, name);
    if (refused !== 0) return refused;
    if (node.entries !== undefined) return -Errno.EPERM;
    if (node.links === 0) return -Errno.ENOENT;
    if (directory.find(name) !== undefined) return -Errno.EEXIST;
    node.links++;
    node.changed();
    directory.add(name, node);
    return 0;
  }

  unlinkat(directory: MemoryNode, name: Name, flags: number): number {
    if ((flags & ~UNLINK_DIRECTORY) !== 0) return -Errno.EINVAL;
    const node = entryOf(directory, name);
    if (typeof node === 'number') return node;
    const wantsDirectory = (flags & UNLINK_DIRECTORY) !== 0;
    if (wantsDirectory !== (node.entries !== undefined))
      return wantsDirectory ? -Errno.ENOTDIR : -Errno.EISDIR;
    if ((node.entries?.size ?? 0) > 0) return -Errno.ENOTEMPTY;
    directory.remove(name);
    this.#unlinked(node);
    return 0;
  }

  #unlinked(node: MemoryNode): void {
    node.links -= node.entries === undefined ? 1 : 2;
    node.changed();
    this.#letGo(node);
  }

  renameat(oldDirectory: MemoryNode, oldName: Name, newDirectory: MemoryNode, newName: Name): number {
    const node = entryOf(oldDirectory, oldName);
    if (typeof node === 'number') return node;
    const refused = refusesEntry(newDirectory, newName);
    if (refused !== 0) return refused;
    const replaced = newDirectory.find(newName);
    if (replaced === node) return 0;
    if (node.entries !== undefined && isWithin(newDirectory, node)) return -Errno.EINVAL;
    if (replaced !== undefined) {
      if (replaced.entries === undefined && node.entries !== undefined) return -Errno.ENOTDIR;
      if (replaced.entries !== undefined && node.entries === undefined) return -Errno.EISDIR;
      if ((replaced.entries?.size ?? 0) > 0) return -Errno.ENOTEMPTY;
      newDirectory.remove(newName);
      this.#unlinked(replaced);
    }
    oldDirectory.remove(oldName);
    newDirectory.add(newName, node);
    node.changed();
    return 0;
  }

  rename(node: MemoryNode, newDirectory: MemoryNode, newName: Name): number {
    const found = this.#nameOf(node);
    return found === undefined
      ? -Errno.ENOENT
      : this.renameat(found.directory, found.name, newDirectory, newName);
  }

  remove(node: MemoryNode): number {
    if (node === this.#root) return -Errno.EBUSY;
    const found = this.#nameOf(node);
    if (found === undefined) return -Errno.ENOENT;
    return this.unlinkat(found.directory, found.name, node.entries === undefined ? 0 : UNLINK_DIRECTORY);
  }

  /** A name of the node: Tremove and Trename are rare, so the tree is searched. */
  #nameOf(node: MemoryNode): { directory: MemoryNode; name: Name } | undefined {
    const directories = [this.#root];
    for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
      for (const { name, node: child } of directory.entries?.values() ?? []) {
        if (child === node) return { directory, name: new Name(name) };
        if (child.entries !== undefined) directories.push(child);
      }
    }
    return undefined;
  }

  // Extended attributes

  getxattr(node: MemoryNode, name: Name): Uint8Array | number {
    return node.xattrs.get(keyOf(name)) ?? -Errno.ENODATA;
  }

  listxattr(node: MemoryNode): Uint8Array {
    const names = [...node.xattrs.keys()].map((name) => `${name}\0`).join('');
    return Uint8Array.from(names, (character) => character.charCodeAt(0));
  }

  setxattr(node: MemoryNode, name: Name, value: Uint8Array, flags: number): number {
    const key = keyOf(name);
    if (flags === XattrFlags.create && node.xattrs.has(key)) return -Errno.EEXIST;
    if (flags === XattrFlags.replace && !node.xattrs.has(key)) return -Errno.ENODATA;
    if (name.length > NAME_MAX) return -Errno.ERANGE;
    node.xattrs.set(key, value);
    node.changed();
    return 0;
  }

  removexattr(node: MemoryNode, name: Name): number {
    if (!node.xattrs.delete(keyOf(name))) return -Errno.ENODATA;
    node.changed();
    return 0;
  }
}

function entryOf(directory: MemoryNode, name: Name): MemoryNode | number {
  if (directory.entries === undefined) return -Errno.ENOTDIR;
  if (name.length > NAME_MAX) return -Errno.ENAMETOOLONG;
  return directory.find(name) ?? -Errno.ENOENT;
}

/** Why a directory takes no new entry of that name: a negative errno, or 0. */
function refusesEntry(directory: MemoryNode, name: Name): number {
  if (directory.entries === undefined) return -Errno.ENOTDIR;
  if (name.length > NAME_MAX) return -Errno.ENAMETOOLONG;
  // A directory that was removed is its own parent and has no names left.
  return directory.links === 0 ? -Errno.ENOENT : 0;
}

function isLockType(type: number): boolean {
  return type === LockType.read || type === LockType.write || type === LockType.unlock;
}

function isWithin(directory: MemoryNode, ancestor: MemoryNode): boolean {
  for (let at = directory; ; at = at.parent) {
    if (at === ancestor) return true;
    if (at === at.parent) return false;
  }
}
