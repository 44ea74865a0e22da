import { Errno } from '../errno.ts';
import type { LockDescription, LockRequest } from '../filesystem.ts';
import { LockStatus, LockType, testedLockType } from '../wire/flags.ts';
import type { HostNode } from './host-node.ts';
import { close, constants, ofdGetLock, ofdSetLock, reopen } from './linux.ts';

/** What `HostLocks` needs of an open file. */
export interface LockableFile {
  fd: number;
  node: HostNode | undefined;
  /** Set while locks were taken through the file. */
  locks: Set<OwnedLocks> | undefined;
}

/** The locks of one process of the client on one file: a descriptor of their own that carries them. */
interface OwnedLocks {
  key: string;
  fd: number;
  /** The open files that they were taken through; with the last they go. */
  files: Set<LockableFile>;
}

/**
 * Record locks of the client's processes, as open-file-description locks of the host (fcntl(2)): they exclude each other
 * and other processes of the host. An open file description stands for an owner (client and process), not for a fid, since POSIX
 * locks of one process do not exclude each other however often it opened the file. Nothing here waits: a client that wants to wait asks again.
 */
export class HostLocks {
  readonly #owned = new Map<string, OwnedLocks>();

  /** Tlock: a LockStatus, or a negative errno. */
  set(file: LockableFile, request: LockRequest): number {
    const type = hostLockType(request.type);
    if (type === undefined) return -Errno.EINVAL;
    const key = keyOf(file, request);
    let owned = this.#owned.get(key);
    if (owned === undefined) {
      if (request.type === LockType.unlock) return LockStatus.success;
      const fd = reopenForLocks(file.fd);
      if (fd < 0) return fd;
      owned = { key, fd, files: new Set() };
    }
    const failed = ofdSetLock(owned.fd, type, request.start, request.length);
    if (failed === 0) this.#remember(owned, file, request);
    else if (owned.files.size === 0) close(owned.fd);
    if (failed === -Errno.EAGAIN || failed === -Errno.EACCES) return LockStatus.blocked;
    return failed < 0 ? failed : LockStatus.success;
  }

  /** Tgetlock: what stands in the way of a lock. */
  find(file: LockableFile, request: LockRequest): LockDescription | number {
    const hostType = hostLockType(testedLockType(request.type));
    if (hostType === undefined) return -Errno.EINVAL;
    const found = new BigInt64Array(4);
    const fd = this.#owned.get(keyOf(file, request))?.fd ?? file.fd;
    const failed = ofdGetLock(fd, hostType, request.start, request.length, found);
    if (failed < 0) return failed;
    const [type, start, length, pid] = found as unknown as [bigint, bigint, bigint, bigint];
    if (Number(type) === constants.F_UNLCK) return { ...request, type: LockType.unlock };
    return {
      type: Number(type) === constants.F_WRLCK ? LockType.write : LockType.read,
      start,
      length,
      // The holder is a process of the host, or has an open-file-description lock (pid -1): no process that the client knows.
      procId: pid < 0n ? 0 : Number(pid),
      clientId: '',
    };
  }

  /** The file is being closed: locks that were taken through it alone go. */
  close(file: LockableFile): void {
    for (const owned of file.locks ?? []) {
      owned.files.delete(file);
      if (owned.files.size === 0) this.#end(owned);
    }
    file.locks = undefined;
  }

  #remember(owned: OwnedLocks, file: LockableFile, request: LockRequest): void {
    if (request.type === LockType.unlock) {
      const isAll = request.start === 0n && request.length === 0n;
      if (isAll) this.#end(owned);
      return;
    }
    this.#owned.set(owned.key, owned);
    owned.files.add(file);
    file.locks ??= new Set();
    file.locks.add(owned);
  }

  #end(owned: OwnedLocks): void {
    for (const file of owned.files) file.locks?.delete(owned);
    this.#owned.delete(owned.key);
    close(owned.fd);
  }
}

function keyOf({ node }: LockableFile, { clientId, procId }: LockRequest): string {
  const file = node && `${node.deviceHigh}:${node.deviceLow}:${node.inodeHigh}:${node.inodeLow}`;
  return `${file}:${procId}:${clientId}`;
}

/** Read locks take a readable descriptor, write locks a writable one: both where the server may, else as the client has it. */
function reopenForLocks(fd: number): number {
  for (const mode of [constants.O_RDWR, constants.O_RDONLY, constants.O_WRONLY]) {
    const reopened = reopen(fd, mode);
    if (reopened >= 0 || (reopened !== -Errno.EACCES && reopened !== -Errno.EROFS)) return reopened;
  }
  return -Errno.EACCES;
}

function hostLockType(type: number): number | undefined {
  if (type === LockType.read) return constants.F_RDLCK;
  if (type === LockType.write) return constants.F_WRLCK;
  return type === LockType.unlock ? constants.F_UNLCK : undefined;
}
