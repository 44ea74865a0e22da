import { hot } from './addon.ts';
import { constants } from './constants.ts';
import { check } from './error.ts';

/**
 * openat(2): opens `name` (bytes without NUL) below the directory `dirfd`. `O_CLOEXEC` is always added.
 * @param flags `O_*` of {@link constants}
 * @param mode permissions of a file it creates, less the umask; else ignored
 * @returns a descriptor, or a negative errno (-EINVAL: NUL in the name; -ENAMETOOLONG: more than 4095 bytes)
 */
export const openat =
  hot<
    (dirfd: number, name: Uint8Array, start: number, length: number, flags: number, mode: number) => number
  >('openat');

/**
 * openat(2) of something that is there, and fstat(2) of it, in one call: half the crossings of a walk.
 * @param flags `O_*` of {@link constants}; `O_CREAT` makes no sense here
 * @param stat filled as by `fstat`
 * @returns a descriptor, or a negative errno of either call; then nothing is left open
 */
export const openatStat =
  hot<
    (
      dirfd: number,
      name: Uint8Array,
      start: number,
      length: number,
      flags: number,
      stat: Uint32Array | Uint8Array,
    ) => number
  >('openatStat');

/**
 * Opens anew, as open(2) on `/proc/self/fd/N`, what a descriptor refers to; the way from an `O_PATH` descriptor to
 * one that reads and writes. A symbolic link gives -ELOOP.
 * @param flags `O_*`; `O_NOFOLLOW` makes no sense here
 * @returns a new descriptor, or a negative errno
 */
export const reopen = hot<(fd: number, flags: number) => number>('reopen');

/**
 * {@link reopen}, at half its price.
 * @param descriptors /proc/self/fd, opened by the same process (`O_PATH` will do)
 * @returns a new descriptor, or a negative errno
 */
export const reopenIn = hot<(descriptors: number, fd: number, flags: number) => number>('reopenIn');

/**
 * close(2). Never called twice: after -EINTR and -EIO, too, the descriptor is gone.
 * @returns 0 or a negative errno
 */
export const close = hot<(fd: number) => number>('close');

/**
 * dup3(2), close-on-exec: makes the number `onto` refer to what `fd` refers to. What `onto` was is closed; `fd` stays.
 * @returns `onto`, or a negative errno (-EINVAL: the same number twice)
 */
export const dup3 = hot<(fd: number, onto: number) => number>('dup3');

const fcntlDup = hot<(fd: number) => number>('dup');
const fcntlGetFlags = hot<(fd: number) => number>('getFlags');
const fcntlSetNonblocking = hot<(fd: number, on: number) => number>('setNonblocking');
const fcntlSetCloseOnExec = hot<(fd: number, on: number) => number>('setCloseOnExec');
const callEventfd = hot<(initial: number, flags: number) => number>('eventfd');
const pipe2 = hot<(out: Int32Array) => number>('pipe');
const setUmask = hot<(mask: number) => number>('umask');

/**
 * open(2) of a path as text, `O_CLOEXEC` added.
 * @param mode permissions of a file it creates, less the umask; 0o666 unless given
 * @returns a descriptor
 * @throws SystemError with the path
 */
export function open(path: string, flags: number, mode = 0o666): number {
  const bytes = Buffer.from(path);
  return check(openat(constants.AT_FDCWD, bytes, 0, bytes.length, flags, mode), 'open', { path });
}

/**
 * A second descriptor for the same open file, close-on-exec (fcntl(2) `F_DUPFD_CLOEXEC`).
 * @throws SystemError
 */
export function dup(fd: number): number {
  return check(fcntlDup(fd), 'fcntl');
}

/**
 * The flags of an open file: access mode and status, `O_*` (fcntl(2) `F_GETFL`).
 * @throws SystemError
 */
export function getFlags(fd: number): number {
  return check(fcntlGetFlags(fd), 'fcntl');
}

/**
 * Sets or clears `O_NONBLOCK`, which all descriptors of the same open file share (fcntl(2) `F_SETFL`).
 * @throws SystemError
 */
export function setNonblocking(fd: number, on: boolean): void {
  check(fcntlSetNonblocking(fd, on ? 1 : 0), 'fcntl');
}

/**
 * Sets or clears `FD_CLOEXEC`: whether the descriptor is closed by execve(2), as all are that this package makes (fcntl(2) `F_SETFD`).
 * @throws SystemError
 */
export function setCloseOnExec(fd: number, on: boolean): void {
  check(fcntlSetCloseOnExec(fd, on ? 1 : 0), 'fcntl');
}

/**
 * pipe2(2), both ends close-on-exec and blocking.
 * @returns the end to read and the end to write
 * @throws SystemError
 */
export function pipe(): [read: number, write: number] {
  const ends = new Int32Array(2);
  check(pipe2(ends), 'pipe2');
  return [ends[0] as number, ends[1] as number];
}

/**
 * eventfd(2), close-on-exec: a counter that is waited for like a file. It is read and written in 8 bytes.
 * @param initial 32 bits
 * @param flags `EFD_*`; 0 unless given
 * @throws SystemError
 */
export function eventfd(initial: number, flags = 0): number {
  return check(callEventfd(initial, flags), 'eventfd');
}

/**
 * umask(2): sets the mask of the whole process. Unlike `process.umask`, works in workers.
 * @returns the mask before
 */
export function umask(mask: number): number {
  return check(setUmask(mask), 'umask');
}
