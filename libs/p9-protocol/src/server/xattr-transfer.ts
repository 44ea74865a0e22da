import { Errno } from '../errno.ts';
import type { Name } from '../name.ts';

/**
 * A fid that Txattrwalk or Txattrcreate made: an extended attribute's value (or the list of names) read, or gathered
 * from writes to be set at clunk, since it must be set whole (attr(5), setxattr(2)).
 */
export class XattrTransfer {
  readonly value: Uint8Array;
  /** Undefined when the value is only read. */
  readonly destination: { readonly name: Name; readonly flags: number } | undefined;
  #filled = 0;

  constructor(value: Uint8Array, destination?: { name: Name; flags: number }) {
    this.value = value;
    this.destination = destination;
  }

  /** Whether all announced bytes were written. */
  get isComplete(): boolean {
    return this.#filled === this.value.length;
  }

  read(offset: number, into: Uint8Array, start: number, count: number): number {
    if (this.destination !== undefined) return -Errno.EBADF;
    if (offset >= this.value.length) return 0;
    const part = this.value.subarray(offset, offset + count);
    into.set(part, start);
    return part.length;
  }

  /** Writes follow one another without gaps, as the kernel sends them. */
  write(offset: number, from: Uint8Array, start: number, count: number): number {
    if (this.destination === undefined) return -Errno.EBADF;
    if (offset !== this.#filled) return -Errno.EINVAL;
    if (count > this.value.length - offset) return -Errno.ENOSPC;
    this.value.set(from.subarray(start, start + count), offset);
    this.#filled += count;
    return count;
  }
}
