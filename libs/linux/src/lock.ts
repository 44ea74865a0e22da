import { hot } from './addon.ts';

/**
 * Takes or releases a lock that belongs to the open file description (fcntl(2) `F_OFD_SETLK`), without waiting.
 * @param type `F_RDLCK`, `F_WRLCK` or `F_UNLCK`
 * @param start first byte
 * @param length in bytes; 0 is to the end of the file, however it grows
 * @returns 0 or a negative errno (-EAGAIN: someone else holds it)
 */
export const ofdSetLock =
  hot<(fd: number, type: number, start: number | bigint, length: number | bigint) => number>('ofdSetLock');

/**
 * Asks which lock is in the way of that one (fcntl(2) `F_OFD_GETLK`).
 * @param out gets type (`F_UNLCK`: none), start, length, and pid (-1 when the lock is an open file description's)
 * @returns 0 or a negative errno (-EFAULT: `out` is shorter than 4)
 */
export const ofdGetLock =
  hot<
    (fd: number, type: number, start: number | bigint, length: number | bigint, out: BigInt64Array) => number
  >('ofdGetLock');
