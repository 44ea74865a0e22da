import { constants, ofdGetLock, ofdSetLock } from '@vm-tools/linux';
import { Errno } from '../errno.ts';
import type { LockDescription, LockRequest } from '../filesystem.ts';
import { LockStatus, LockType } from '../wire/flags.ts';

/*
 * Record locks as open-file-description locks (fcntl(2)): they exclude other fids, and other processes of the host. Nothing here
 * waits: a client that wants to wait asks again.
 */

/** Tlock on an open file: a LockStatus or a negative errno. */
export function setLock(fd: number, { type, start, length }: LockRequest): number {
  const hostType = hostLockType(type);
  if (hostType === undefined) return -Errno.EINVAL;
  const failed = ofdSetLock(fd, hostType, start, length);
  if (failed === -Errno.EAGAIN || failed === -Errno.EACCES) return LockStatus.blocked;
  return failed < 0 ? failed : LockStatus.success;
}

/** Tgetlock on an open file: what stands in the way of a lock. */
export function findLock(fd: number, request: LockRequest): LockDescription | number {
  const hostType = hostLockType(request.type);
  if (hostType === undefined) return -Errno.EINVAL;
  const found = new BigInt64Array(4);
  const failed = ofdGetLock(fd, hostType, request.start, request.length, found);
  if (failed < 0) return failed;
  const [type, start, length, pid] = found as unknown as [bigint, bigint, bigint, bigint];
  if (Number(type) === constants.F_UNLCK) return { ...request, type: LockType.unlock };
  return {
    type: Number(type) === constants.F_WRLCK ? LockType.write : LockType.read,
    start,
    length,
    // The holder is a process of the host, or another fid (pid -1): no process that the client knows.
    procId: pid < 0n ? 0 : Number(pid),
    clientId: '',
  };
}

function hostLockType(type: number): number | undefined {
  if (type === LockType.read) return constants.F_RDLCK;
  if (type === LockType.write) return constants.F_WRLCK;
  return type === LockType.unlock ? constants.F_UNLCK : undefined;
}
