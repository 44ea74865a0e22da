import { hot } from './addon.ts';
import { check, SystemError } from './error.ts';

const callReserve = hot<(size: number) => ArrayBuffer | number>('reserve');
const callMmap =
  hot<
    (
      memory: ArrayBuffer,
      at: number,
      length: number,
      protection: number,
      fd: number,
      offset: number,
    ) => number
  >('mmap');
const callMunmap = hot<(memory: ArrayBuffer) => number>('munmap');

/**
 * Where in a page of 4096 bytes the first byte of an array lies: its address as far as alignment goes.
 * @returns 0 to 4095, or -EINVAL
 */
export const pageOffset = hot<(bytes: Uint8Array) => number>('pageOffset');

/**
 * Addresses for {@link mmap}, as an ArrayBuffer in which nothing is yet: **to read or write it before something is
 * mapped there ends the process**. It costs no memory. It is given back by {@link munmap}, or
 * when it has been collected.
 * @param size in bytes
 * @throws SystemError (mmap(2): ENOMEM)
 */
export function reserve(size: number): ArrayBuffer {
  const memory = callReserve(size);
  if (typeof memory === 'number') throw new SystemError(memory, 'mmap');
  return memory;
}

/** Which piece of which file. */
export interface Mapping {
  /** May be closed afterwards. -1: nothing is there any more. */
  readonly fd: number;
  /** In bytes, a multiple of the page size; default 0. */
  readonly offset?: number;
  /** `PROT_*`, which default to none. */
  readonly protection?: number;
}

/**
 * mmap(2) `MAP_SHARED` of a piece of a file to a place in what {@link reserve} gave, in place of what is there. The part of it
 * that lies behind the file's end, now or when it is cut short later, ends the process (SIGBUS) when it is touched.
 * @param at offset in `memory`, in bytes, a multiple of the page size
 * @param length in bytes
 * @throws SystemError (EFAULT: outside `memory`; EINVAL: not of `reserve`, or no multiple of the page size)
 */
export function mmap(memory: ArrayBuffer, at: number, length: number, mapping: Mapping): void {
  const { fd, offset = 0, protection = 0 } = mapping;
  check(callMmap(memory, at, length, protection, fd, offset), 'mmap');
}

/**
 * munmap(2) of all that {@link reserve} gave, at once: the ArrayBuffer and the views of it are empty from then on.
 * @throws SystemError (EINVAL: not of `reserve`, or given back before)
 */
export function munmap(memory: ArrayBuffer): void {
  check(callMunmap(memory), 'munmap');
}
