import { Errno } from '../errno.ts';
import type { Name } from '../name.ts';
import { getxattr, listxattr } from './linux.ts';

const NOTHING = new Uint8Array(0);
/** A value that grows between asking its size and reading it is asked for again, so often. */
const TRIES = 8;

/** The value of an extended attribute of what a path (of /proc/self/fd) leads to, or a negative errno. */
export function readXattr(path: string, name: Name): Uint8Array | number {
  return readWhole((buffer) => getxattr(path, name.bytes, name.start, name.length, buffer));
}

/** The names of all extended attributes, each ended by NUL, or a negative errno. */
export function readXattrNames(path: string): Uint8Array | number {
  return readWhole((buffer) => listxattr(path, buffer));
}

function readWhole(read: (buffer: Uint8Array) => number): Uint8Array | number {
  for (let i = 0; i < TRIES; i++) {
    const size = read(NOTHING);
    if (size <= 0) return size < 0 ? size : NOTHING;
    const value = new Uint8Array(size);
    const length = read(value);
    if (length >= 0) return value.subarray(0, length);
    if (length !== -Errno.ERANGE) return length;
  }
  return -Errno.ERANGE;
}
