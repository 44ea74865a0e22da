import { createRequire } from 'node:module';
import type * as Linux from '@vm-tools/linux';
import { MissingPackageError } from '../missing-package-error.ts';

/*
 * @vm-tools/linux as the files of this folder have it. It is an optional dependency: an import of a package that is not there fails before any code could
 * say what to do, so this asks for it.
 */

export type { Watch } from '@vm-tools/linux';

export const {
  chmod,
  close,
  constants,
  exchange,
  fchownat,
  fstat,
  fstatat,
  fstatfs,
  ftruncate,
  getdents64,
  getxattr,
  linkat,
  listxattr,
  lseek,
  mkdirat,
  mknodat,
  ofdGetLock,
  ofdSetLock,
  open,
  openat,
  openatStat,
  pageOffset,
  poll,
  pread,
  pwrite,
  readlinkat,
  recv,
  removexattr,
  renameat2,
  reopen,
  reopenIn,
  send,
  sendv,
  setfsgid,
  setfsuid,
  setNonblocking,
  setThreadGroups,
  setxattr,
  shutdown,
  Stat,
  STAT_WORDS,
  StatFs,
  STATFS_WORDS,
  statx,
  symlinkat,
  truncate,
  unlinkat,
  utimensat,
  watch,
} = linux();

function linux(): typeof Linux {
  try {
    return createRequire(import.meta.url)('@vm-tools/linux') as typeof Linux;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    // Some other module of it: that is told as it is.
    if (!/MODULE_NOT_FOUND$/.test(String(code)) || !message.includes("'@vm-tools/linux'")) throw cause;
    const packageName = '@vm-tools/linux';
    throw new MissingPackageError(
      { needing: '@vm-tools/p9-protocol/host', packageName, url: import.meta.url },
      { cause },
    );
  }
}
