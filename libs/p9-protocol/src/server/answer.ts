import { Errno } from '../errno.ts';
import { HEADER_SIZE } from '../wire/messages.ts';

/** How a request is answered: the size of the reply in bytes, header included, or a negative errno; or a promise of either. */
export type Answer = number | Promise<number>;

/** A reply without a body. */
export const EMPTY_REPLY = HEADER_SIZE;

export function isPromise<T>(outcome: T | number | Promise<T | number>): outcome is Promise<T | number> {
  return (
    typeof outcome === 'object' &&
    outcome !== null &&
    typeof (outcome as { then?: unknown }).then === 'function'
  );
}

export function isErrno(outcome: unknown): outcome is number {
  return typeof outcome === 'number' && outcome < 0;
}

/** Whether a filesystem's answer is a number of bytes that it may have read or written. */
export function isCount(answer: number, most: number): boolean {
  return answer >= 0 && answer <= most;
}

/** The errno for an answer that is none of those that are due: if it is no errno itself, the filesystem is mistaken. */
export function errnoFor(answer: number): number {
  return answer < 0 ? answer : -Errno.EIO;
}
