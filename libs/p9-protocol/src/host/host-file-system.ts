import { fdatasync, fsync } from 'node:fs';
import { Errno } from '../errno.ts';
import type {
  AttachRequest,
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
import { GetattrMask, OpenFlags, UNLINK_DIRECTORY } from '../wire/flags.ts';
import { Qid } from '../wire/qid.ts';
import { actAsUsers } from './acting.ts';
import { CaseFolding } from './case-folding.ts';
import { changeAttributes, writeAttributes } from './host-attributes.ts';
import { DirectoryReader } from './host-directory.ts';
import { HostLocks, type LockableFile } from './host-lock.ts';
import { type HostNode, HostNodeTree, isSameFile } from './host-node.ts';
import type { HostFileSystemOptions } from './host-options.ts';
import { statusOf } from './host-statfs.ts';
import { type HostUser, squashedUser, userNamed } from './host-users.ts';
import { readXattr, readXattrNames } from './host-xattr.ts';
import { IdMap } from './id-map.ts';
import { Identities } from './identities.ts';
import {
  close,
  constants,
  fstat,
  linkat,
  mkdirat,
  mknodat,
  openat,
  pread,
  pwrite,
  readlinkat,
  removexattr,
  renameat2,
  setxattr,
  statx,
  symlinkat,
  unlinkat,
} from './linux.ts';
import { NewFiles } from './new-files.ts';
import { hostOpenFlags, opensForWriting } from './open-flags.ts';
import { procPath } from './proc-path.ts';
import { openRoots } from './roots.ts';

const { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_FOLLOW, O_CREAT, O_EXCL, O_NOFOLLOW, O_PATH } = constants;
const { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } = constants;
const PERMISSIONS = 0o7777;
/** "None is named", of n_uname. */
const NO_ID = 0xffffffff;
const NO_NAME = new Uint8Array(0);

/** An open file of the host. */
export class HostFile implements LockableFile {
  fd = -1;
  isWritable = false;
  node: HostNode | undefined;
  locks: LockableFile['locks'];
  /** Directories: the cookie at which the descriptor stands, -1n if unknown. */
  position = 0n;
  deviceBits = 0;
}

/** Open file objects kept for use again. */
const SPARE_FILES = 1024;

/**
 * Passes directories of the host through, with the server's own rights or those of its users. Everything is reached by descriptor, one
 * component at a time, without following symlinks: nothing outside the root is reached. Only regular files and
 * directories are ever opened; devices, FIFOs and sockets are the client's kernel's business.
 *
 * All methods but `fsync` answer at once. That cannot be taken back either: its Rflush waits for the disk.
 */
export class HostFileSystem implements FileSystem<HostNode, HostFile> {
  readonly #tree: HostNodeTree;
  readonly #uids: IdMap;
  readonly #gids: IdMap;
  readonly #readOnly: boolean;
  readonly #deviceNodes: boolean;
  readonly #newFiles: NewFiles;
  readonly #directories = new DirectoryReader();
  readonly #locks = new HostLocks();
  /** The roots' places in the tree by their anames; undefined: there is one, of any. */
  readonly #exports: ReadonlyMap<string, number> | undefined;
  readonly #users: ReadonlyMap<number, HostUser> | undefined;
  readonly #folding: CaseFolding | undefined;
  readonly #spareFiles: HostFile[] = [];

  /**
   * @throws a system error (`code`, `path`) when a root cannot be opened; RangeError for an ambiguous id map or no root; P9Error EPERM when only root may
   * do what is asked
   */
  constructor(options: HostFileSystemOptions) {
    const { root, squash, actAs } = options;
    this.#uids = new IdMap(options.uidMap, squash?.uid);
    this.#gids = new IdMap(options.gidMap, squash?.gid);
    this.#readOnly = options.readOnly ?? false;
    this.#deviceNodes = options.deviceNodes ?? false;
    this.#newFiles = new NewFiles(this.#gids);
    this.#folding = options.ignoreCase ? new CaseFolding() : undefined;
    if (actAs !== undefined) {
      this.#users = squash === undefined ? actAs : new Map([[squash.uid, squashedUser(squash, actAs)]]);
      actAsUsers(this, new Identities(this.#users));
    }
    const roots = typeof root === 'string' ? new Map([['', root]]) : root;
    this.#exports =
      roots.size > 1 ? new Map([...roots.keys()].map((aname, index) => [aname, index])) : undefined;
    this.#tree = new HostNodeTree(openRoots(roots));
  }

  /** Lets the root go; to be called when no session uses the filesystem any more. */
  [Symbol.dispose](): void {
    this.#tree.close();
  }

  /** The root, for a user to whom new files are given where the server may do that. */
  attach({ nUname, uname, aname = '' }: Partial<AttachRequest>): HostNode | number {
    const index = this.#exports === undefined ? 0 : this.#exports.get(aname);
    if (index === undefined) return -Errno.ENOENT;
    let user = this.#uids.toHost(nUname ?? NO_ID);
    if (this.#users !== undefined) {
      if (user === NO_ID) user = userNamed(this.#users, uname) ?? NO_ID;
      if (!this.#users.has(user)) return -Errno.EACCES;
    }
    return this.#tree.attach(index, user);
  }

  walk(directory: HostNode, name: Name): HostNode | number {
    return this.#tree.walk(directory, this.#folding === undefined ? name : this.#actual(directory, name));
  }

  /** The name that a directory has for what is asked for. */
  #actual(directory: HostNode, name: Name): Name {
    if (this.#folding === undefined) return name;
    const at = this.#tree.descriptor(directory);
    return at < 0 ? name : this.#folding.find(at, name);
  }

  retain(node: HostNode): void {
    this.#tree.retain(node);
  }

  release(node: HostNode): void {
    this.#tree.release(node);
  }

  // Attributes

  getattr(node: HostNode, mask: number, attributes: Attributes): number {
    const fd = this.#tree.descriptor(node);
    if (fd < 0) return fd;
    const { stat, statBytes } = this.#tree;
    const withBirth = (mask & GetattrMask.btime) !== 0;
    const failed = withBirth ? statx(fd, NO_NAME, 0, 0, AT_EMPTY_PATH, statBytes) : fstat(fd, statBytes);
    if (failed < 0) return failed;
    this.#tree.fillVersion(node.qid);
    writeAttributes(stat, attributes, withBirth, this.#uids, this.#gids);
    return 0;
  }

  setattr(node: HostNode, changes: AttributeChanges, file?: HostFile): number {
    if (this.#readOnly) return -Errno.EROFS;
    const fd = this.#tree.descriptor(node);
    if (fd < 0) return fd;
    // Who has a file open to write may change its length, whatever its mode has become.
    const writable = file?.isWritable ? file.fd : -1;
    return changeAttributes(fd, writable, node.kind, changes, this.#uids, this.#gids);
  }

  statfs(node: HostNode): FileSystemStatus | number {
    const fd = this.#tree.descriptor(node);
    if (fd < 0) return fd;
    return statusOf(fd);
  }

  readlink(node: HostNode, buffer: Uint8Array, start: number, capacity: number): number {
    const fd = this.#tree.descriptor(node);
    if (fd < 0) return fd;
    if (node.kind !== S_IFLNK) return -Errno.EINVAL;
    return readlinkat(fd, NO_NAME, 0, 0, buffer, start, capacity);
  }

  // Open files

  open(node: HostNode, flags: number): HostFile | number {
    if (this.#readOnly && opensForWriting(flags)) return -Errno.EROFS;
    if (node.kind !== S_IFREG && node.kind !== S_IFDIR)
      return node.kind === S_IFLNK ? -Errno.ELOOP : -Errno.ENXIO;
    const path = this.#tree.descriptor(node);
    if (path < 0) return path;
    let fd = this.#tree.reopen(path, hostOpenFlags(flags));
    if (this.#tree.relieve(fd)) fd = this.#tree.reopen(path, hostOpenFlags(flags));
    if (fd < 0) return fd === -Errno.EMFILE ? -Errno.ENFILE : fd;
    return this.#newFile(fd, node, flags);
  }

  #newFile(fd: number, node: HostNode, flags: number): HostFile {
    const file = this.#spareFiles.pop() ?? new HostFile();
    file.fd = fd;
    file.isWritable = (flags & OpenFlags.accessMode) !== OpenFlags.readOnly;
    file.node = node;
    node.openFiles++;
    file.position = 0n;
    file.deviceBits = node.isDirectory ? this.#tree.deviceBits(node.deviceLow, node.deviceHigh) : 0;
    return file;
  }

  close(file: HostFile): void {
    if (file.locks !== undefined) this.#locks.close(file);
    const node = file.node as HostNode;
    node.openFiles--;
    // A node that was made with the file has no other descriptor. This fid is about to go, but further ones may need it.
    if (node.fd === file.fd)
      node.fd = node.references > 1 ? Math.max(this.#tree.reopen(file.fd, O_PATH), -1) : -1;
    close(file.fd);
    file.fd = -1;
    file.node = undefined;
    if (this.#spareFiles.length < SPARE_FILES) this.#spareFiles.push(file);
  }

  read(file: HostFile, offset: number, buffer: Uint8Array, start: number, count: number): number {
    return pread(file.fd, buffer, start, count, offset);
  }

  write(file: HostFile, offset: number, buffer: Uint8Array, start: number, count: number): number {
    return pwrite(file.fd, buffer, start, count, offset);
  }

  readdir(file: HostFile, cookie: bigint, entries: DirectoryEntries): number {
    const position = this.#directories.read(file.fd, cookie, file.position, entries, file.deviceBits);
    if (typeof position === 'number') {
      file.position = -1n;
      return position;
    }
    file.position = position;
    return 0;
  }

  /** A disk takes its time: the call waits in a thread of libuv's pool, and other requests are served meanwhile. */
  fsync(file: HostFile, dataOnly: boolean): Promise<number> {
    const sync = dataOnly ? fdatasync : fsync;
    return new Promise((resolve) => sync(file.fd, (error) => resolve(error?.errno ?? 0)));
  }

  lock(file: HostFile, request: LockRequest): number {
    return this.#locks.set(file, request);
  }

  getlock(file: HostFile, request: LockRequest): LockDescription | number {
    return this.#locks.find(file, request);
  }

  // Names

  create(
    directory: HostNode,
    name: Name,
    flags: number,
    mode: number,
    gid: number,
  ): Created<HostNode, HostFile> | number {
    if (this.#readOnly) return -Errno.EROFS;
    const at = this.#tree.descriptor(directory);
    if (at < 0) return at;
    name = this.#actual(directory, name);
    const exclusively = hostOpenFlags(flags) | O_CREAT | O_EXCL | O_NOFOLLOW;
    let fd = openat(at, name.bytes, name.start, name.length, exclusively, mode & PERMISSIONS);
    if (this.#tree.relieve(fd)) {
      fd = openat(at, name.bytes, name.start, name.length, exclusively, mode & PERMISSIONS);
    }
    if (fd === -Errno.EEXIST && (flags & OpenFlags.exclusive) === 0) {
      return this.#openExisting(directory, name, flags);
    }
    if (fd < 0) return fd === -Errno.EMFILE ? -Errno.ENFILE : fd;
    const failed = this.#newFiles.settle(fd, this.#tree.stat, { user: directory.user, mode, gid });
    if (failed < 0) {
      close(fd);
      unlinkat(at, name.bytes, name.start, name.length, 0);
      return failed;
    }
    const node = this.#tree.adopt(directory, name, fd);
    return { node, file: this.#newFile(fd, node, flags) };
  }

  /** By O_PATH first: opening whatever stands at the name could wait for a FIFO or wake a device. */
  #openExisting(directory: HostNode, name: Name, flags: number): Created<HostNode, HostFile> | number {
    const node = this.#tree.walk(directory, name);
    if (typeof node === 'number') return node;
    const file = node.isDirectory ? -Errno.EISDIR : this.open(node, flags);
    if (typeof file !== 'number') return { node, file };
    this.#tree.release(node);
    return file;
  }

  mkdir(directory: HostNode, name: Name, mode: number, gid: number): Qid | number {
    if (this.#readOnly) return -Errno.EROFS;
    const at = this.#tree.descriptor(directory);
    if (at < 0) return at;
    name = this.#actual(directory, name);
    const failed = mkdirat(at, name.bytes, name.start, name.length, mode & PERMISSIONS);
    return failed < 0 ? failed : this.#qidOfNew(at, directory.user, name, mode, gid);
  }

  symlink(directory: HostNode, name: Name, target: Name, gid: number): Qid | number {
    if (this.#readOnly) return -Errno.EROFS;
    const at = this.#tree.descriptor(directory);
    if (at < 0) return at;
    name = this.#actual(directory, name);
    const { bytes, start, length } = target;
    const failed = symlinkat(bytes, start, length, at, name.bytes, name.start, name.length);
    return failed < 0 ? failed : this.#qidOfNew(at, directory.user, name, undefined, gid);
  }

  mknod(
    directory: HostNode,
    name: Name,
    mode: number,
    major: number,
    minor: number,
    gid: number,
  ): Qid | number {
    if (this.#readOnly) return -Errno.EROFS;
    const kind = mode & S_IFMT;
    if (kind === S_IFCHR || kind === S_IFBLK) {
      if (!this.#deviceNodes) return -Errno.EPERM;
    } else if (kind !== S_IFIFO && kind !== S_IFSOCK && kind !== S_IFREG && kind !== 0) {
      return -Errno.EINVAL;
    }
    const at = this.#tree.descriptor(directory);
    if (at < 0) return at;
    name = this.#actual(directory, name);
    const failed = mknodat(
      at,
      name.bytes,
      name.start,
      name.length,
      kind | (mode & PERMISSIONS),
      major,
      minor,
    );
    return failed < 0 ? failed : this.#qidOfNew(at, directory.user, name, mode, gid);
  }

  link(directory: HostNode, node: HostNode, name: Name): number {
    if (this.#readOnly) return -Errno.EROFS;
    const fd = this.#tree.descriptor(node);
    if (fd < 0) return fd;
    const at = this.#tree.descriptor(directory);
    if (at < 0) return at;
    name = this.#actual(directory, name);
    // AT_EMPTY_PATH would take CAP_DAC_READ_SEARCH; the link in /proc leads to the very file, also if that is a symlink.
    const path = Buffer.from(procPath(fd));
    return linkat(AT_FDCWD, path, 0, path.length, at, name.bytes, name.start, name.length, AT_SYMLINK_FOLLOW);
  }

  renameat(oldDirectory: HostNode, oldName: Name, newDirectory: HostNode, newName: Name): number {
    if (this.#readOnly) return -Errno.EROFS;
    if (this.#folding !== undefined) {
      oldName = this.#actual(oldDirectory, oldName);
      const there = this.#actual(newDirectory, newName);
      // A name that is found by itself only is to get letters of another case.
      const isItself = isSameFile(oldDirectory, newDirectory) && there.equals(oldName);
      if (!isItself) newName = there;
    }
    const from = this.#tree.descriptor(oldDirectory);
    if (from < 0) return from;
    const to = this.#tree.descriptor(newDirectory);
    if (to < 0) return to;
    const failed = renameat2(
      from,
      oldName.bytes,
      oldName.start,
      oldName.length,
      to,
      newName.bytes,
      newName.start,
      newName.length,
      0,
    );
    if (failed === 0) this.#tree.renamed(oldDirectory, oldName, newDirectory, newName);
    return failed;
  }

  rename(node: HostNode, newDirectory: HostNode, newName: Name): number {
    if (this.#readOnly) return -Errno.EROFS;
    return this.#byItsName(node, (parent, name) => this.renameat(parent, name, newDirectory, newName));
  }

  unlinkat(directory: HostNode, name: Name, flags: number): number {
    if (this.#readOnly) return -Errno.EROFS;
    if ((flags & ~UNLINK_DIRECTORY) !== 0) return -Errno.EINVAL;
    const at = this.#tree.descriptor(directory);
    if (at < 0) return at;
    name = this.#actual(directory, name);
    if (flags === 0) return unlinkat(at, name.bytes, name.start, name.length, 0);
    const failed = unlinkat(at, name.bytes, name.start, name.length, constants.AT_REMOVEDIR);
    if (failed === 0) this.#tree.removed(directory, name);
    return failed;
  }

  remove(node: HostNode): number {
    if (this.#readOnly) return -Errno.EROFS;
    const flags = node.isDirectory ? UNLINK_DIRECTORY : 0;
    return this.#byItsName(node, (parent, name) => this.unlinkat(parent, name, flags));
  }

  /** Acts on the name by which the node was reached, if it still has that. */
  #byItsName(node: HostNode, act: (parent: HostNode, name: Name) => number): number {
    const { parent } = node;
    if (parent === undefined || this.#tree.isRoot(node)) return -Errno.EBUSY;
    const name = new Name(node.name, 0, node.nameLength);
    // It may lose its last child meanwhile.
    this.#tree.retain(parent);
    let result: number;
    const found = this.#tree.walk(parent, name);
    if (typeof found === 'number') {
      result = found;
    } else {
      const isSame = this.#tree.isSame(node);
      this.#tree.release(found);
      result = isSame ? act(parent, name) : -Errno.ESTALE;
    }
    this.#tree.release(parent);
    return result;
  }

  // Extended attributes: no call takes an O_PATH descriptor, so the way is through /proc (xattr(7))

  getxattr(node: HostNode, name: Name): Uint8Array | number {
    const fd = this.#tree.descriptor(node);
    return fd < 0 ? fd : readXattr(procPath(fd), name);
  }

  listxattr(node: HostNode): Uint8Array | number {
    const fd = this.#tree.descriptor(node);
    return fd < 0 ? fd : readXattrNames(procPath(fd));
  }

  setxattr(node: HostNode, name: Name, value: Uint8Array, flags: number): number {
    if (this.#readOnly) return -Errno.EROFS;
    const fd = this.#tree.descriptor(node);
    if (fd < 0) return fd;
    return setxattr(procPath(fd), name.bytes, name.start, name.length, value, 0, value.length, flags);
  }

  removexattr(node: HostNode, name: Name): number {
    if (this.#readOnly) return -Errno.EROFS;
    const fd = this.#tree.descriptor(node);
    return fd < 0 ? fd : removexattr(procPath(fd), name.bytes, name.start, name.length);
  }

  // What was just made

  #qidOfNew(
    directory: number,
    user: number,
    name: Name,
    mode: number | undefined,
    gid: number,
  ): Qid | number {
    const fd = this.#tree.openPath(directory, name.bytes, name.start, name.length);
    if (fd < 0) return fd;
    const failed = this.#newFiles.settle(fd, this.#tree.stat, { user, mode, gid });
    close(fd);
    if (failed < 0) return failed;
    const qid = new Qid();
    this.#tree.fillQid(qid);
    return qid;
  }
}
