import type { LockDescription, LockRequest } from '../filesystem.ts';
import { LockStatus, LockType, testedLockType } from '../wire/flags.ts';

interface Held {
  type: number;
  start: bigint;
  /** Behind the last byte. */
  end: bigint;
  procId: number;
  clientId: string;
}

/** Behind the last byte of any file: what "to the end" means. */
const EOF = 1n << 63n;

/** The POSIX record locks on one file (fcntl(2), "Advisory record locking"): by process, split and merged as ranges ask for. */
export class RangeLocks {
  #held: Held[] = [];

  /** A LockStatus. */
  set(request: LockRequest): number {
    const wanted = heldOf(request);
    if (wanted.type !== LockType.unlock && this.#conflict(wanted) !== undefined) return LockStatus.blocked;
    this.#held = this.#held.flatMap((held) => (isSameOwner(held, wanted) ? without(held, wanted) : [held]));
    if (wanted.type !== LockType.unlock) this.#held.push(wanted);
    return LockStatus.success;
  }

  find(request: LockRequest): LockDescription {
    const conflict = this.#conflict(heldOf({ ...request, type: testedLockType(request.type) }));
    if (conflict === undefined) return { ...request, type: LockType.unlock };
    const { type, start, end, procId, clientId } = conflict;
    return { type, start, length: end === EOF ? 0n : end - start, procId, clientId };
  }

  /** Everything that these owners hold is let go. */
  release(owners: Iterable<Pick<LockRequest, 'procId' | 'clientId'>>): void {
    for (const owner of owners) this.#held = this.#held.filter((held) => !isSameOwner(held, owner));
  }

  #conflict(wanted: Held): Held | undefined {
    return this.#held.find(
      (held) =>
        !isSameOwner(held, wanted) &&
        held.start < wanted.end &&
        wanted.start < held.end &&
        (held.type === LockType.write || wanted.type === LockType.write),
    );
  }
}

function heldOf({ type, start, length, procId, clientId }: LockRequest): Held {
  return { type, start, end: length === 0n ? EOF : start + length, procId, clientId };
}

function isSameOwner(
  a: Pick<LockRequest, 'procId' | 'clientId'>,
  b: Pick<LockRequest, 'procId' | 'clientId'>,
): boolean {
  return a.procId === b.procId && a.clientId === b.clientId;
}

/** What is left of a lock when a range is taken out of it: up to two pieces. */
function without(held: Held, { start, end }: Held): Held[] {
  if (held.end <= start || end <= held.start) return [held];
  const pieces: Held[] = [];
  if (held.start < start) pieces.push({ ...held, end: start });
  if (end < held.end) pieces.push({ ...held, start: end });
  return pieces;
}
