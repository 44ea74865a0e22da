export { decodeAddress, encodeAddress, type SocketAddress } from './address.ts';
export { sendAside } from './aside.ts';
export { type ConstantName, constants } from './constants.ts';
export { keptAccept, keptOpen, keptSocket, keptSocketpair, letGo } from './custody.ts';
export {
  close,
  dup,
  dup3,
  eventfd,
  getFlags,
  open,
  openat,
  openatStat,
  pipe,
  reopen,
  reopenIn,
  setCloseOnExec,
  setNonblocking,
  umask,
} from './descriptor.ts';
export {
  fchownat,
  getdents64,
  linkat,
  mkdirat,
  mknodat,
  readlinkat,
  renameat2,
  symlinkat,
  unlinkat,
  utimensat,
} from './directory.ts';
export { epollControl, epollCreate, epollWait } from './epoll.ts';
export { Errno, type ErrnoName, errnoCode, errnoMessage } from './errno.ts';
export { check, type ErrorSubject, SystemError, UnsupportedPlatformError } from './error.ts';
export {
  chmod,
  fchmod,
  fdatasync,
  fsync,
  ftruncate,
  lseek,
  pread,
  pwrite,
  read,
  truncate,
  write,
} from './file.ts';
export { setfsgid, setfsuid, setThreadGroups } from './identity.ts';
export {
  LandlockFs,
  LandlockNet,
  type LandlockRuleset,
  LandlockScope,
  landlockAbi,
  landlockAllow,
  landlockCreateRuleset,
  landlockRestrictSelf,
} from './landlock.ts';
export { ofdGetLock, ofdSetLock } from './lock.ts';
export { type Mapping, mmap, munmap, pageOffset, reserve } from './memory.ts';
export { execve, noNewPrivileges } from './process.ts';
export {
  type SeccompAction,
  type SeccompCondition,
  type SeccompOptions,
  type SeccompRule,
  seccompFilter,
  seccompProgram,
} from './seccomp.ts';
export {
  accept,
  bind,
  connect,
  exchange,
  getpeername,
  getsockname,
  getsockopt,
  getsockoptBytes,
  listen,
  MESSAGE_WORDS,
  Message,
  type PeerCredentials,
  peerCredentials,
  poll,
  type Ranges,
  recv,
  recvfrom,
  recvmmsg,
  recvmsg,
  recvv,
  send,
  sendmsg,
  sendto,
  sendv,
  setsockopt,
  setsockoptBytes,
  shutdown,
  socket,
  socketpair,
  vsockLocalCid,
} from './socket.ts';
export { setPipeSize, splice } from './splice.ts';
export { fstat, fstatat, fstatfs, STAT_WORDS, STATFS_WORDS, Stat, StatFs, statx } from './stat.ts';
export { type SystemCallName, systemCalls } from './system-calls.ts';
export { type Watch, type WatchEvents, type WatchInterest, watch } from './watch.ts';
export { getxattr, listxattr, removexattr, setxattr } from './xattr.ts';
