export type { SocketAddress } from './address.ts';
export { type ConstantName, constants } from './constants.ts';
export {
  close,
  dup,
  getFlags,
  open,
  openat,
  openatStat,
  pipe,
  reopen,
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
  truncate,
} from './file.ts';
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
  getpeername,
  getsockname,
  getsockopt,
  listen,
  type PeerCredentials,
  peerCredentials,
  poll,
  recv,
  send,
  sendv,
  setsockopt,
  shutdown,
  socket,
  socketpair,
} from './socket.ts';
export { fstat, fstatat, fstatfs, STAT_WORDS, STATFS_WORDS, Stat, StatFs, statx } from './stat.ts';
export { type SystemCallName, systemCalls } from './system-calls.ts';
export { type Watch, type WatchEvents, type WatchInterest, watch } from './watch.ts';
export { getxattr, listxattr, removexattr, setxattr } from './xattr.ts';
