import { Errno } from '../errno.ts';
import type {
  AttachRequest,
  AttributeChanges,
  Call,
  Created,
  Done,
  FileSystem,
  FileSystemStatus,
  LockDescription,
  LockRequest,
  Outcome,
} from '../filesystem.ts';
import { keyOf } from '../memory/memory-node.ts';
import type { Name } from '../name.ts';
import { isPromise } from '../server/answer.ts';
import type { Attributes } from '../server/attributes.ts';
import type { DirectoryEntries } from '../server/directory-entries.ts';
import type { Qid } from '../wire/qid.ts';
import { type Member, MemberFile, MemberNode } from './member.ts';
import { MountTable } from './mount-table.ts';
import { type Place, PlaceFile, PlaceNode } from './place.ts';

/** A file of a composition: in a mounted filesystem, or a directory that leads to some. */
export type ComposedNode = PlaceNode | MemberNode;
/** An open one. */
export type ComposedFile = PlaceFile | MemberFile;

const { EBUSY, EEXIST, EISDIR, EBADF, EINVAL, ENODATA, ENOENT, EOPNOTSUPP, EPERM, EROFS, ESTALE, EXDEV } =
  Errno;

/**
 * Several filesystems as one tree, each under a path of its own:
 *
 * ```ts
 * const fs = new ComposedFileSystem({ projects: hostFs, 'scratch/notes': new MemoryFileSystem() });
 * ```
 *
 * The root and the directories on the way to a mounted filesystem cannot be changed by clients (EROFS). Names are not moved or linked from one
 * filesystem to another (EXDEV). An `aname` is the path of one of these directories or of a mounted filesystem, and empty for the root; ENOENT for
 * anything else. Each mounted filesystem is attached under the names that the client gave, with an empty `aname`.
 *
 * Qids are unique across all: the high 16 bits of a member's paths are replaced. The same filesystem mounted twice shows its files as different ones.
 */
export class ComposedFileSystem implements FileSystem<ComposedNode, ComposedFile> {
  readonly #mounts = new MountTable();

  /** @throws P9Error as `mount` does */
  constructor(mounts: Readonly<Record<string, FileSystem>> = {}) {
    for (const [path, fs] of Object.entries(mounts)) this.mount(path, fs);
  }

  /**
   * Mounts a filesystem, also while being served. Directories on the way to it appear by themselves.
   *
   * @param path names joined by `/`
   * @throws P9Error EINVAL for a path that is none, EEXIST where something is mounted at the path, above it or below it
   */
  mount(path: string, fs: FileSystem): void {
    this.#mounts.add(path, fs);
  }

  /**
   * Unmounts what is mounted at `path`, also while being served. Its name is gone at once. Whatever clients still hold of it answers ESTALE from then on.
   *
   * @returns a promise that resolves when the filesystem is not in use any more and may be disposed of: its pending promises have settled, its files were
   * closed and its nodes released, whether clients have clunked them or not
   * @throws P9Error ENOENT when nothing is mounted there
   */
  unmount(path: string): Promise<void> {
    return this.#mounts.remove(path).leave();
  }

  attach(who: AttachRequest, call: Call): Outcome<ComposedNode> {
    const place = this.#mounts.find(who.aname);
    return place === undefined ? -ENOENT : enter(place, who, call);
  }

  walk(directory: ComposedNode, name: Name, call: Call): Outcome<ComposedNode> {
    if (directory instanceof PlaceNode) {
      const child = directory.place.children.get(keyOf(name));
      return child === undefined ? -ENOENT : enter(child, directory.who, call);
    }
    const { member, inner } = directory;
    return member.isStale ? -ESTALE : member.node(member.fs.walk(inner, name, call));
  }

  retain(node: ComposedNode): void {
    if (node instanceof MemberNode) node.references++;
  }

  release(node: ComposedNode): void {
    if (node instanceof MemberNode) node.member.release(node);
  }

  // Attributes

  getattr(node: ComposedNode, mask: number, attributes: Attributes, call: Call): Done {
    if (node instanceof PlaceNode) return node.place.getattr(attributes);
    const { member, inner } = node;
    if (member.isStale) return -ESTALE;
    const outcome = member.fs.getattr(inner, mask, attributes, call) as Outcome<undefined>;
    // The filesystem may have learned of a new version.
    const refreshed = (answer: undefined | number) => {
      node.refresh();
      return answer;
    };
    return isPromise(outcome) ? member.watch(outcome.then(refreshed)) : refreshed(outcome);
  }

  setattr(node: ComposedNode, changes: AttributeChanges, file: ComposedFile | undefined, call: Call): Done {
    if (node instanceof PlaceNode) return -EROFS;
    const { member, inner } = node;
    if (member.isStale) return -ESTALE;
    if (member.fs.setattr === undefined) return -EROFS;
    const opened = file instanceof MemberFile ? file.inner : undefined;
    return member.watch(member.fs.setattr(inner, changes, opened, call));
  }

  statfs(node: ComposedNode, call: Call): Outcome<FileSystemStatus> {
    if (node instanceof PlaceNode) return node.place.statfs();
    const { member, inner } = node;
    if (member.isStale) return -ESTALE;
    return member.watch(member.fs.statfs?.(inner, call) ?? -EOPNOTSUPP);
  }

  readlink(
    node: ComposedNode,
    buffer: Uint8Array,
    start: number,
    capacity: number,
    call: Call,
  ): Outcome<number> {
    if (node instanceof PlaceNode) return -EINVAL;
    const { member, inner } = node;
    if (member.isStale) return -ESTALE;
    return member.watch(member.fs.readlink?.(inner, buffer, start, capacity, call) ?? -EINVAL);
  }

  // Open files

  open(node: ComposedNode, flags: number, call: Call): Outcome<ComposedFile> {
    if (node instanceof PlaceNode) return node.open(flags);
    const { member, inner, isRoot } = node;
    if (member.isStale) return -ESTALE;
    return member.file(member.fs.open(inner, flags, call), isRoot);
  }

  close(file: ComposedFile): void {
    if (file instanceof MemberFile) file.member.close(file);
  }

  read(
    file: ComposedFile,
    offset: number,
    buffer: Uint8Array,
    start: number,
    count: number,
    call: Call,
  ): Outcome<number> {
    if (file instanceof PlaceFile) return -EISDIR;
    const { member, inner } = file;
    return member.isStale ? -ESTALE : member.watch(member.fs.read(inner, offset, buffer, start, count, call));
  }

  write(
    file: ComposedFile,
    offset: number,
    buffer: Uint8Array,
    start: number,
    count: number,
    call: Call,
  ): Outcome<number> {
    if (file instanceof PlaceFile) return -EBADF;
    const { member, inner } = file;
    if (member.isStale) return -ESTALE;
    return member.watch(member.fs.write?.(inner, offset, buffer, start, count, call) ?? -EROFS);
  }

  readdir(file: ComposedFile, cookie: bigint, entries: DirectoryEntries, call: Call): Done {
    if (file instanceof PlaceFile) return file.place.readdir(cookie, entries);
    const { member, inner, isRoot } = file;
    if (member.isStale) return -ESTALE;
    return member.watch(member.fs.readdir(inner, cookie, member.entriesInto(entries, isRoot), call));
  }

  fsync(file: ComposedFile, dataOnly: boolean, call: Call): Done {
    if (file instanceof PlaceFile) return 0;
    const { member, inner } = file;
    return member.isStale ? -ESTALE : member.watch(member.fs.fsync?.(inner, dataOnly, call));
  }

  lock(file: ComposedFile, request: LockRequest, call: Call): Outcome<number> {
    if (file instanceof PlaceFile) return -EOPNOTSUPP;
    const { member, inner } = file;
    return member.isStale ? -ESTALE : member.watch(member.fs.lock?.(inner, request, call) ?? -EOPNOTSUPP);
  }

  getlock(file: ComposedFile, request: LockRequest, call: Call): Outcome<LockDescription> {
    if (file instanceof PlaceFile) return -EOPNOTSUPP;
    const { member, inner } = file;
    return member.isStale ? -ESTALE : member.watch(member.fs.getlock?.(inner, request, call) ?? -EOPNOTSUPP);
  }

  // Names

  create(
    directory: ComposedNode,
    name: Name,
    flags: number,
    mode: number,
    gid: number,
    call: Call,
  ): Outcome<Created<ComposedNode, ComposedFile>> {
    const member = changeable(directory, name);
    if (typeof member === 'number') return member;
    const { inner } = directory as MemberNode;
    return member.created(member.fs.create?.(inner, name, flags, mode, gid, call) ?? -EROFS);
  }

  mkdir(directory: ComposedNode, name: Name, mode: number, gid: number, call: Call): Outcome<Qid> {
    const member = changeable(directory, name);
    if (typeof member === 'number') return member;
    const { inner } = directory as MemberNode;
    return member.qid(member.fs.mkdir?.(inner, name, mode, gid, call) ?? -EROFS);
  }

  symlink(directory: ComposedNode, name: Name, target: Name, gid: number, call: Call): Outcome<Qid> {
    const member = changeable(directory, name);
    if (typeof member === 'number') return member;
    const { inner } = directory as MemberNode;
    return member.qid(member.fs.symlink?.(inner, name, target, gid, call) ?? -EROFS);
  }

  mknod(
    directory: ComposedNode,
    name: Name,
    mode: number,
    major: number,
    minor: number,
    gid: number,
    call: Call,
  ): Outcome<Qid> {
    const member = changeable(directory, name);
    if (typeof member === 'number') return member;
    const { inner } = directory as MemberNode;
    return member.qid(member.fs.mknod?.(inner, name, mode, major, minor, gid, call) ?? -EROFS);
  }

  link(directory: ComposedNode, node: ComposedNode, name: Name, call: Call): Done {
    const member = sameMember(directory, node);
    if (member === undefined) return node instanceof PlaceNode ? -EPERM : -EXDEV;
    if (member.isStale) return -ESTALE;
    if (member.fs.link === undefined) return -EROFS;
    const { inner } = directory as MemberNode;
    return member.watch(member.fs.link(inner, (node as MemberNode).inner, name, call));
  }

  renameat(
    oldDirectory: ComposedNode,
    oldName: Name,
    newDirectory: ComposedNode,
    newName: Name,
    call: Call,
  ): Done {
    if (oldDirectory instanceof PlaceNode && newDirectory instanceof PlaceNode) {
      return oldDirectory.place.children.has(keyOf(oldName)) ? -EBUSY : -ENOENT;
    }
    const member = sameMember(oldDirectory, newDirectory);
    if (member === undefined) return -EXDEV;
    if (member.isStale) return -ESTALE;
    if (member.fs.renameat === undefined) return -EROFS;
    const { inner: from } = oldDirectory as MemberNode;
    return member.watch(member.fs.renameat(from, oldName, (newDirectory as MemberNode).inner, newName, call));
  }

  unlinkat(directory: ComposedNode, name: Name, flags: number, call: Call): Done {
    if (directory instanceof PlaceNode) return directory.place.children.has(keyOf(name)) ? -EBUSY : -ENOENT;
    const { member, inner } = directory;
    if (member.isStale) return -ESTALE;
    return member.fs.unlinkat === undefined
      ? -EROFS
      : member.watch(member.fs.unlinkat(inner, name, flags, call));
  }

  rename(node: ComposedNode, newDirectory: ComposedNode, newName: Name, call: Call): Done {
    if (node instanceof PlaceNode || node.isRoot) return -EBUSY;
    const member = sameMember(node, newDirectory);
    if (member === undefined) return -EXDEV;
    if (member.isStale) return -ESTALE;
    if (member.fs.rename === undefined) return -EROFS;
    return member.watch(member.fs.rename(node.inner, (newDirectory as MemberNode).inner, newName, call));
  }

  remove(node: ComposedNode, call: Call): Done {
    if (node instanceof PlaceNode || node.isRoot) return -EBUSY;
    const { member, inner } = node;
    if (member.isStale) return -ESTALE;
    return member.fs.remove === undefined ? -EROFS : member.watch(member.fs.remove(inner, call));
  }

  // Extended attributes

  getxattr(node: ComposedNode, name: Name, call: Call): Outcome<Uint8Array> {
    if (node instanceof PlaceNode) return -ENODATA;
    const { member, inner } = node;
    return member.isStale ? -ESTALE : member.watch(member.fs.getxattr?.(inner, name, call) ?? -EOPNOTSUPP);
  }

  listxattr(node: ComposedNode, call: Call): Outcome<Uint8Array> {
    if (node instanceof PlaceNode) return new Uint8Array();
    const { member, inner } = node;
    return member.isStale ? -ESTALE : member.watch(member.fs.listxattr?.(inner, call) ?? -EOPNOTSUPP);
  }

  setxattr(node: ComposedNode, name: Name, value: Uint8Array, flags: number, call: Call): Done {
    if (node instanceof PlaceNode) return -EROFS;
    const { member, inner } = node;
    if (member.isStale) return -ESTALE;
    if (member.fs.setxattr === undefined) return -EOPNOTSUPP;
    return member.watch(member.fs.setxattr(inner, name, value, flags, call));
  }

  removexattr(node: ComposedNode, name: Name, call: Call): Done {
    if (node instanceof PlaceNode) return -EROFS;
    const { member, inner } = node;
    if (member.isStale) return -ESTALE;
    if (member.fs.removexattr === undefined) return -EOPNOTSUPP;
    return member.watch(member.fs.removexattr(inner, name, call));
  }
}

function enter(place: Place, who: AttachRequest, call: Call): Outcome<ComposedNode> {
  return place.member === undefined
    ? new PlaceNode(place, who)
    : place.member.attach({ ...who, aname: '' }, call);
}

/** The filesystem in which a directory can be given a new name, or why it cannot. */
function changeable(directory: ComposedNode, name: Name): Member | number {
  if (directory instanceof PlaceNode) return directory.place.children.has(keyOf(name)) ? -EEXIST : -EROFS;
  return directory.member.isStale ? -ESTALE : directory.member;
}

function sameMember(a: ComposedNode, b: ComposedNode): Member | undefined {
  return a instanceof MemberNode && b instanceof MemberNode && a.member === b.member ? a.member : undefined;
}
