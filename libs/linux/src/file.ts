import { hot } from './addon.ts';

/**
 * read(2) into `length` bytes of `buffer` from `start`: from a pipe, an eventfd, a terminal.
 * @returns how many bytes were read (0: end), or a negative errno (-EAGAIN: nothing yet, of what is non-blocking;
 *   -EFAULT: outside the buffer)
 */
export const read = hot<(fd: number, buffer: Uint8Array, start: number, length: number) => number>('read');

/**
 * write(2) of `length` bytes of `buffer` from `start`.
 * @returns how many bytes were written, or a negative errno (-EFAULT: outside the buffer)
 */
export const write = hot<(fd: number, buffer: Uint8Array, start: number, length: number) => number>('write');

/**
 * pread(2) into `length` bytes of `buffer` from `start`.
 * @param position offset in the file, in bytes
 * @returns how many bytes were read (0: end of file), or a negative errno (-EFAULT: outside the buffer)
 */
export const pread =
  hot<(fd: number, buffer: Uint8Array, start: number, length: number, position: number) => number>('pread');

/**
 * pwrite(2) of `length` bytes of `buffer` from `start`.
 * @param position offset in the file, in bytes; a file opened with `O_APPEND` ignores it
 * @returns how many bytes were written, or a negative errno (-EFAULT: outside the buffer)
 */
export const pwrite =
  hot<(fd: number, buffer: Uint8Array, start: number, length: number, position: number) => number>('pwrite');

/**
 * lseek(2): sets the offset of an open file or directory stream.
 * @param whence `SEEK_*`
 * @returns 0 (not the offset, which of a directory may be any 64 bits), or a negative errno
 */
export const lseek = hot<(fd: number, offset: number | bigint, whence: number) => number>('lseek');

/** fsync(2): data and metadata to the disk. @returns 0 or a negative errno */
export const fsync = hot<(fd: number) => number>('fsync');

/** fdatasync(2): data to the disk. @returns 0 or a negative errno */
export const fdatasync = hot<(fd: number) => number>('fdatasync');

/** ftruncate(2). @param size in bytes @returns 0 or a negative errno */
export const ftruncate = hot<(fd: number, size: number) => number>('ftruncate');

/** truncate(2), by path. @param size in bytes @returns 0 or a negative errno */
export const truncate = hot<(path: string, size: number) => number>('truncate');

/** fchmod(2). An `O_PATH` descriptor gives -EBADF: use {@link chmod} there. @returns 0 or a negative errno */
export const fchmod = hot<(fd: number, mode: number) => number>('fchmod');

/** chmod(2), by path (`/proc/self/fd/N` for an `O_PATH` descriptor). @returns 0 or a negative errno */
export const chmod = hot<(path: string, mode: number) => number>('chmod');
