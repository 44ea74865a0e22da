import { hot } from './addon.ts';

// Names are bytes without NUL: (bytes, start, length). Each call returns 0 unless it says otherwise, or a negative
// errno: -EINVAL for a name with a NUL or outside its array, -ENAMETOOLONG for more than 4095 bytes.

/**
 * getdents64(2): as many whole directory entries as fit.
 * Entry: u64 inode, u64 offset to lseek to for what follows, u16 size of this entry, u8 type (`DT_*`), name, NUL.
 * @returns how many bytes were written (0: end of the directory), or a negative errno (-EINVAL: the next entry
 *   does not fit; -EFAULT: outside the buffer)
 */
export const getdents64 =
  hot<(fd: number, buffer: Uint8Array, start: number, length: number) => number>('getdents64');

/**
 * readlinkat(2). An empty name reads the symbolic link that the `O_PATH|O_NOFOLLOW` descriptor `dirfd` is.
 * @returns how many bytes were written: all of `length` means that the target may be cut; or a negative errno
 */
export const readlinkat =
  hot<
    (
      dirfd: number,
      name: Uint8Array,
      start: number,
      length: number,
      buffer: Uint8Array,
      bufferStart: number,
      bufferLength: number,
    ) => number
  >('readlinkat');

/** mkdirat(2). @param mode permissions, less the umask @returns 0 or a negative errno */
export const mkdirat =
  hot<(dirfd: number, name: Uint8Array, start: number, length: number, mode: number) => number>('mkdirat');

/**
 * mknodat(2).
 * @param mode `S_IFREG`, `S_IFIFO`, `S_IFSOCK`, `S_IFCHR` or `S_IFBLK`, and permissions, less the umask
 * @param major of a device, else ignored
 * @param minor of a device, else ignored
 * @returns 0 or a negative errno
 */
export const mknodat =
  hot<
    (
      dirfd: number,
      name: Uint8Array,
      start: number,
      length: number,
      mode: number,
      major: number,
      minor: number,
    ) => number
  >('mknodat');

/** symlinkat(2): makes `name` below `dirfd` a link to `target`. @returns 0 or a negative errno */
export const symlinkat =
  hot<
    (
      target: Uint8Array,
      targetStart: number,
      targetLength: number,
      dirfd: number,
      name: Uint8Array,
      start: number,
      length: number,
    ) => number
  >('symlinkat');

/**
 * linkat(2): makes `name` a second name of `oldName`.
 * @param flags `AT_SYMLINK_FOLLOW`; `AT_EMPTY_PATH` (empty `oldName`: the descriptor itself) needs
 *   CAP_DAC_READ_SEARCH
 * @returns 0 or a negative errno
 */
export const linkat =
  hot<
    (
      oldDirfd: number,
      oldName: Uint8Array,
      oldStart: number,
      oldLength: number,
      dirfd: number,
      name: Uint8Array,
      start: number,
      length: number,
      flags: number,
    ) => number
  >('linkat');

/** renameat2(2). @param flags 0 or `RENAME_*` @returns 0 or a negative errno */
export const renameat2 =
  hot<
    (
      oldDirfd: number,
      oldName: Uint8Array,
      oldStart: number,
      oldLength: number,
      dirfd: number,
      name: Uint8Array,
      start: number,
      length: number,
      flags: number,
    ) => number
  >('renameat2');

/** unlinkat(2). @param flags 0, or `AT_REMOVEDIR` for a directory @returns 0 or a negative errno */
export const unlinkat =
  hot<(dirfd: number, name: Uint8Array, start: number, length: number, flags: number) => number>('unlinkat');

/**
 * fchownat(2).
 * @param uid -1 or 0xffffffff leaves it as it is, as does `gid`
 * @param flags `AT_SYMLINK_NOFOLLOW`, `AT_EMPTY_PATH`
 * @returns 0 or a negative errno
 */
export const fchownat =
  hot<
    (
      dirfd: number,
      name: Uint8Array,
      start: number,
      length: number,
      uid: number,
      gid: number,
      flags: number,
    ) => number
  >('fchownat');

/**
 * utimensat(2): sets access and modification time, in seconds since 1970 and nanoseconds; for these `UTIME_NOW`
 * and `UTIME_OMIT` are allowed.
 * @param flags `AT_SYMLINK_NOFOLLOW`, `AT_EMPTY_PATH`
 * @returns 0 or a negative errno
 */
export const utimensat =
  hot<
    (
      dirfd: number,
      name: Uint8Array,
      start: number,
      length: number,
      atimeSec: number,
      atimeNsec: number,
      mtimeSec: number,
      mtimeNsec: number,
      flags: number,
    ) => number
  >('utimensat');
