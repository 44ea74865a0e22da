import { hot } from './addon.ts';

/**
 * The length that an array for {@link fstat}, {@link fstatat} and {@link statx} must have, in u32 words. They take a `Uint8Array` on
 * its buffer as well, and take that somewhat faster.
 */
export const STAT_WORDS = 40;

/**
 * Where each field of a stat(2) is in the array: index of its low u32 word, the high one follows. `dev` and `rdev`
 * are encoded as Linux's dev_t. The last four are filled by {@link statx} alone.
 */
export const Stat = {
  dev: 0,
  ino: 2,
  mode: 4,
  nlink: 6,
  uid: 8,
  gid: 10,
  rdev: 12,
  size: 14,
  blksize: 16,
  /** In units of 512 bytes. */
  blocks: 18,
  atimeSec: 20,
  atimeNsec: 22,
  mtimeSec: 24,
  mtimeNsec: 26,
  ctimeSec: 28,
  ctimeNsec: 30,
  btimeSec: 32,
  btimeNsec: 34,
  /** Which fields the filesystem has: `STATX_*`. */
  mask: 36,
  /** Tells mounts apart, as long as they last; since Linux 5.8. */
  mount: 38,
} as const;

/** The length that an array for {@link fstatfs} must have, in u32 words. */
export const STATFS_WORDS = 24;

/** Where each field of a statfs(2) is in the array: index of its low u32 word, the high one follows. */
export const StatFs = {
  type: 0,
  bsize: 2,
  /** Of `bsize` bytes, as are `bfree` and `bavail`. */
  blocks: 4,
  bfree: 6,
  bavail: 8,
  files: 10,
  ffree: 12,
  fsid: 14,
  namelen: 16,
  frsize: 18,
  flags: 20,
} as const;

/**
 * fstat(2), also of an `O_PATH` descriptor.
 * @param stat gets the fields at the indices of {@link Stat}; {@link STAT_WORDS} long
 * @returns 0 or a negative errno (-EFAULT: the array is too short)
 */
export const fstat = hot<(fd: number, stat: Uint32Array | Uint8Array) => number>('fstat');

/**
 * fstatat(2) of `name` (bytes without NUL) below `dirfd`.
 * @param flags `AT_SYMLINK_NOFOLLOW`, `AT_EMPTY_PATH`, `AT_NO_AUTOMOUNT`
 * @param stat gets the fields at the indices of {@link Stat}; {@link STAT_WORDS} long
 * @returns 0 or a negative errno (-EFAULT: the array is too short)
 */
export const fstatat =
  hot<
    (
      dirfd: number,
      name: Uint8Array,
      start: number,
      length: number,
      flags: number,
      stat: Uint32Array | Uint8Array,
    ) => number
  >('fstatat');

/**
 * statx(2) of `name` (bytes without NUL) below `dirfd`: as {@link fstatat}, with the birth time and a mask of what
 * the filesystem knows.
 * @param flags as for {@link fstatat}, and `AT_STATX_*`
 * @param stat gets the fields at the indices of {@link Stat}; {@link STAT_WORDS} long
 * @returns 0 or a negative errno (-EFAULT: the array is too short)
 */
export const statx =
  hot<
    (
      dirfd: number,
      name: Uint8Array,
      start: number,
      length: number,
      flags: number,
      stat: Uint32Array | Uint8Array,
    ) => number
  >('statx');

/**
 * fstatfs(2): the filesystem that a descriptor is on.
 * @param out gets the fields at the indices of {@link StatFs}; {@link STATFS_WORDS} long
 * @returns 0 or a negative errno (-EFAULT: the array is too short)
 */
export const fstatfs = hot<(fd: number, out: Uint32Array) => number>('fstatfs');
