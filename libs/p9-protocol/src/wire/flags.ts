/** Flags of Tlopen and Tlcreate: Linux's generic O_* values, whatever machine is at either end (enum p9_open_mode_t, P9_DOTL_*). */
export const OpenFlags = {
  accessMode: 0o3,
  readOnly: 0o0,
  writeOnly: 0o1,
  readWrite: 0o2,
  create: 0o100,
  exclusive: 0o200,
  noctty: 0o400,
  truncate: 0o1000,
  append: 0o2000,
  nonblock: 0o4000,
  dsync: 0o10000,
  fasync: 0o20000,
  direct: 0o40000,
  largefile: 0o100000,
  directory: 0o200000,
  nofollow: 0o400000,
  noatime: 0o1000000,
  cloexec: 0o2000000,
  sync: 0o4000000,
} as const;

/** Bits of Tgetattr.mask and Rgetattr.valid (P9_STATS_*). */
export const GetattrMask = {
  mode: 0x1,
  nlink: 0x2,
  uid: 0x4,
  gid: 0x8,
  rdev: 0x10,
  atime: 0x20,
  mtime: 0x40,
  ctime: 0x80,
  ino: 0x100,
  size: 0x200,
  blocks: 0x400,
  btime: 0x800,
  gen: 0x1000,
  dataVersion: 0x2000,
  /** Everything that stat(2) gives. */
  basic: 0x7ff,
} as const;

/** Bits of Tsetattr.valid (P9_ATTR_*). */
export const SetattrMask = {
  mode: 0x1,
  uid: 0x2,
  gid: 0x4,
  size: 0x8,
  atime: 0x10,
  mtime: 0x20,
  ctime: 0x40,
  /** atime is the one given; without it, the server's present time. */
  atimeSet: 0x80,
  mtimeSet: 0x100,
} as const;

/** Tunlinkat.flags: the name is a directory's (AT_REMOVEDIR). */
export const UNLINK_DIRECTORY = 0x200;

/** Lock types of Tlock and Tgetlock (P9_LOCK_TYPE_*). */
export const LockType = { read: 0, write: 1, unlock: 2 } as const;
/**
 * The type of lock that a Tgetlock asks about. Linux's client sends `unlock` whatever its program asked for
 * (fs/9p/vfs_file.c, v9fs_file_getlock): then it is about any lock, which is what a write lock would meet.
 */
export function testedLockType(type: number): number {
  return type === LockType.unlock ? LockType.write : type;
}

/** Rlock.status (P9_LOCK_*). */
export const LockStatus = { success: 0, blocked: 1, error: 2, grace: 3 } as const;
/** Tlock.flags (P9_LOCK_FLAGS_*). */
export const LockFlags = { block: 1, reclaim: 2 } as const;

/** Txattrcreate.flags (XATTR_*). */
export const XattrFlags = { create: 1, replace: 2 } as const;
