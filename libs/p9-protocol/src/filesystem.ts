import type { Name } from './name.ts';
import type { Attributes } from './server/attributes.ts';
import type { DirectoryEntries } from './server/directory-entries.ts';
import type { Qid } from './wire/qid.ts';

/**
 * What a method answers: its result or a **negative errno** (cheaper than throwing, for what is expected, as ENOENT in a walk), or a promise of
 * either. A method may also throw: a `P9Error`, any Node system error, or anything else, which is answered as EIO.
 *
 * A promise delays only its own request; those behind it on the connection are served meanwhile and answered first. One that may take long heeds `Call.signal`.
 */
export type Outcome<T> = T | number | Promise<T | number>;

/** A method without a result: nothing or 0 for success, a negative errno for failure. */
// biome-ignore lint/suspicious/noConfusingVoidType: a method that returns nothing is the natural way to succeed
export type Done = void | number | Promise<void | number>;

/** The request that a method is called for: the last argument of each. */
export interface Call {
  /**
   * Aborted when the client flushes the request (flush(5)) or its session ends. To be asked for while the method has not returned or its promise is
   * pending; it is made only then.
   *
   * A method that is aborted settles soon, having done all that was asked or nothing. The Rflush waits for that: what was done is still answered, before it;
   * a failure is not answered any more.
   */
  readonly signal: AbortSignal;
}

/** A file, directory or other object of a filesystem: what a fid denotes. A class of the filesystem's own. */
export interface FileNode {
  /** Identifies the file: equal for two nodes exactly when they are the same file. Filled in when the node is handed out. */
  readonly qid: Qid;
}

/** Who attaches (Tattach). All three are the client's claim and prove nothing. */
export interface AttachRequest {
  uname: string;
  /** Which tree is asked for; often empty or `/`. */
  aname: string;
  /** Numeric user, 0xffffffff when the client names none. */
  nUname: number;
}

/** Tsetattr: what is `undefined` stays as it is. Times are Unix times, `'now'` is the server's present time. */
export interface AttributeChanges {
  mode?: number;
  uid?: number;
  gid?: number;
  /** New length in bytes. */
  size?: number;
  atime?: Time | 'now';
  mtime?: Time | 'now';
  /** The client asks that ctime be brought up to date. */
  ctime?: boolean;
}

export interface Time {
  seconds: number;
  /** 0 to 999,999,999. */
  nanoseconds: number;
}

/** Rstatfs; see statfs(2) for the units. */
export interface FileSystemStatus {
  type: number;
  /** Size in bytes of a block, the unit of the three counts below it. */
  blockSize: number;
  blocks: number | bigint;
  freeBlocks: number | bigint;
  availableBlocks: number | bigint;
  files: number | bigint;
  freeFiles: number | bigint;
  id: number | bigint;
  /** Most bytes in a name. */
  nameLength: number;
}

/** Tlock and Tgetlock: a POSIX record lock of a process (`procId`) of a client machine (`clientId`). */
export interface LockRequest {
  /** LockType.read, write or unlock. */
  type: number;
  /** LockFlags; the server never waits for a lock, whatever is asked. */
  flags: number;
  start: bigint;
  /** Bytes; 0 is to the end of the file, however far. */
  length: bigint;
  procId: number;
  clientId: string;
}

/** Rgetlock: the lock that stands in the way, or `type: LockType.unlock` when nothing does. */
export interface LockDescription {
  type: number;
  start: bigint;
  length: bigint;
  procId: number;
  clientId: string;
}

/** A file just created and opened (Tlcreate). */
export interface Created<N extends FileNode, F extends object> {
  node: N;
  file: F;
}

/**
 * A filesystem that a 9P server serves: nodes `N` (files, by identity) and open files `F` (one for each open fid).
 *
 * **Concurrency contract.** The server calls one method at a time per connection and never re-enters one that has not returned; only promises make
 * requests overlap. A `retain`ed node is not released, and an open file not closed, while a promise of a method that got it is pending. Buffers and
 * names are the server's and are valid until the method returns or its promise settles, and so is a `Call`. A filesystem object may serve several connections at once
 * (`serve` on one event loop); in `serveThreaded` each thread has its own.
 *
 * Names have been checked: never empty, `.` or `..`, never with `/` or NUL. An optional method that is absent is answered EOPNOTSUPP, unless its comment says otherwise.
 */
export interface FileSystem<N extends FileNode = FileNode, F extends object = object> {
  /** The root node for a session, with one reference. */
  attach(request: AttachRequest, call: Call): Outcome<N>;
  /** The entry `name` of `directory`, with one reference. Symlinks are not followed: their node is returned. */
  walk(directory: N, name: Name, call: Call): Outcome<N>;
  /** One more reference: another fid denotes the node. Absent: references are not counted. */
  retain?(node: N): void;
  /** One reference less. */
  release?(node: N): void;

  /** Fill `attributes` in, at least mode and what `mask` (GetattrMask) asks for. `qid` and `valid` (basic) are filled in beforehand. */
  getattr(node: N, mask: number, attributes: Attributes, call: Call): Done;
  /** `file`: what the fid has open. Absent: EROFS. */
  setattr?(node: N, changes: AttributeChanges, file: F | undefined, call: Call): Done;
  statfs?(node: N, call: Call): Outcome<FileSystemStatus>;
  /** The target of a symlink, written to buffer[start, start + capacity); its length. */
  readlink?(node: N, buffer: Uint8Array, start: number, capacity: number, call: Call): Outcome<number>;

  /** Opens a file or directory; `flags` are OpenFlags. */
  open(node: N, flags: number, call: Call): Outcome<F>;
  /** Ends an open file. Never fails: errors of delayed writes belong to `fsync`. */
  close?(file: F): void;
  /** Bytes of the file from `offset`, written to buffer[start, start + count); how many, 0 at the end. */
  read(
    file: F,
    offset: number,
    buffer: Uint8Array,
    start: number,
    count: number,
    call: Call,
  ): Outcome<number>;
  /** buffer[start, start + count) to the file at `offset`; how many were written. Absent: EROFS. */
  write?(
    file: F,
    offset: number,
    buffer: Uint8Array,
    start: number,
    count: number,
    call: Call,
  ): Outcome<number>;
  /** Entries after `cookie` (0n: from the start; else what an earlier entry gave as its `next`), with `entries.add` until that says it is full. */
  readdir(file: F, cookie: bigint, entries: DirectoryEntries, call: Call): Done;
  /** Absent: success, nothing is buffered. */
  fsync?(file: F, dataOnly: boolean, call: Call): Done;
  /** LockStatus. */
  lock?(file: F, request: LockRequest, call: Call): Outcome<number>;
  getlock?(file: F, request: LockRequest, call: Call): Outcome<LockDescription>;

  /** Creates a regular file and opens it. `flags` are OpenFlags: with `exclusive`, EEXIST if it is there; else an existing one is opened. Absent: EROFS, as for all that follow. */
  create?(
    directory: N,
    name: Name,
    flags: number,
    mode: number,
    gid: number,
    call: Call,
  ): Outcome<Created<N, F>>;
  mkdir?(directory: N, name: Name, mode: number, gid: number, call: Call): Outcome<Qid>;
  symlink?(directory: N, name: Name, target: Name, gid: number, call: Call): Outcome<Qid>;
  mknod?(
    directory: N,
    name: Name,
    mode: number,
    major: number,
    minor: number,
    gid: number,
    call: Call,
  ): Outcome<Qid>;
  /** A further name for `node`. */
  link?(directory: N, node: N, name: Name, call: Call): Done;
  renameat?(oldDirectory: N, oldName: Name, newDirectory: N, newName: Name, call: Call): Done;
  unlinkat?(directory: N, name: Name, flags: number, call: Call): Done;
  /** Trename: gives the file, by whatever name it was walked to, a new name. */
  rename?(node: N, newDirectory: N, newName: Name, call: Call): Done;
  /** Tremove: removes the name by which the node was walked to. */
  remove?(node: N, call: Call): Done;

  getxattr?(node: N, name: Name, call: Call): Outcome<Uint8Array>;
  /** All names, each ended by NUL. */
  listxattr?(node: N, call: Call): Outcome<Uint8Array>;
  /** `flags` are XattrFlags. */
  setxattr?(node: N, name: Name, value: Uint8Array, flags: number, call: Call): Done;
  removexattr?(node: N, name: Name, call: Call): Done;
}
