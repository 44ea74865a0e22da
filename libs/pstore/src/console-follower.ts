import { type ByteOrder, HEADER_SIZE, zoneSpace } from './layout.ts';
import { PstoreError } from './pstore-error.ts';
import { readWord, SIGNATURE } from './zone.ts';

export type ConsoleEvent =
  /** What the guest wrote. */
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  /** The guest has booted again: what follows is of a new boot. */
  | { readonly kind: 'restart' }
  /**
   * The guest wrote more than fits into the zone between two looks, so that text is missing here; or, with `revised`, bytes that
   * were passed on already have changed since: they had not been written yet.
   */
  | { readonly kind: 'lost'; readonly revised: boolean };

export interface ConsoleFollowerOptions {
  /** Of the zone, with header and parity. */
  readonly size: number;
  /** Parity bytes, as in a layout; default 0. What has been damaged is followed as it is. */
  readonly ecc?: number;
  readonly byteOrder?: ByteOrder;
  /** Whether what is there at the first look is passed on as well; default true. */
  readonly backlog?: boolean;
}

/** So few bytes may be the same by chance. */
const TOO_LITTLE = 64;

interface Snapshot {
  readonly head: number;
  readonly size: number;
  readonly ring: Uint8Array;
  /** How many bytes from the head on, the oldest, may have been written anew while they were copied. */
  readonly torn: number;
}

/**
 * Follows the console zone of a running kernel, by looking at it again and again.
 *
 * The kernel moves the head of the ring before it writes what belongs there, and says nowhere how much it ever wrote. So bytes
 * are passed on when two looks in a row have found the same at their place, and that nothing was missed is seen by everything
 * else being as it was: whoever overtakes us has overwritten all of it.
 */
export class ConsoleFollower {
  readonly #capacity: number;
  readonly #byteOrder: ByteOrder;
  readonly #backlog: boolean;
  #last: Snapshot | undefined;
  /** Bytes before the last head that have not been passed on. */
  #pending = 0;
  /** After an overrun we are somewhere in a line. */
  #skipsLine = false;

  /** @throws {PstoreError} ERR_LAYOUT when a zone of that size has no room for data */
  constructor({ size, ecc = 0, byteOrder = 'little', backlog = true }: ConsoleFollowerOptions) {
    const space = size > HEADER_SIZE ? zoneSpace(size, ecc) : undefined;
    if (!space) throw new PstoreError('ERR_LAYOUT', `a console zone of ${size} bytes has no room for data`);
    this.#capacity = space.capacity;
    this.#byteOrder = byteOrder;
    this.#backlog = backlog;
  }

  /**
   * @param zone all bytes of the zone as they are now; they are copied
   * @param after the first bytes of the zone, looked at again when `zone` had been: for a guest that writes meanwhile
   */
  update(zone: Uint8Array, after: Uint8Array = zone): ConsoleEvent[] {
    const now = this.#snapshot(zone, after);
    if (!now) return [];
    const last = this.#last;
    this.#last = now;
    if (!last) {
      if (this.#backlog) this.#beginAnew(now);
      return [];
    }
    if (now.size < last.size || this.#hasBegunAnew(last, now)) {
      const events = this.#passOn(last, this.#pending);
      this.#beginAnew(now);
      this.#skipsLine = false;
      return [...events, { kind: 'restart' }];
    }
    return this.#advance(last, now);
  }

  /** What is there and was seen once only: for when the machine has ended. */
  finish(): ConsoleEvent[] {
    return this.#last ? this.#passOn(this.#last, this.#pending) : [];
  }

  #advance(last: Snapshot, now: Snapshot): ConsoleEvent[] {
    const capacity = this.#capacity;
    const written = (now.head - last.head + capacity) % capacity;
    const kept = capacity - written - now.torn;
    // From the oldest byte on: what has to be as it was, but for the newest, which may just have been written.
    const changed = firstDifference(last.ring, now.ring, now.head + now.torn, kept);
    const isOvertaken = changed < kept / 2;
    if (isOvertaken || kept < TOO_LITTLE) {
      const events = this.#passOn(last, this.#pending);
      this.#pending = Math.min(isOvertaken ? capacity : written, capacity - now.torn);
      this.#skipsLine = true;
      return [...events, { kind: 'lost', revised: false }];
    }
    // What has been overwritten since is still in the last snapshot.
    const visible = Math.min(this.#pending, kept);
    const events = this.#passOn(last, this.#pending - visible);
    const settled = Math.max(0, changed - (kept - visible));
    events.push(...this.#passOn(last, settled));
    if (changed < kept - visible) events.push({ kind: 'lost', revised: true });
    this.#pending += written;
    return events;
  }

  /** Whether another boot wrote what is there: without a wrap, what was written stays. */
  #hasBegunAnew(last: Snapshot, now: Snapshot): boolean {
    if (now.size === this.#capacity || last.size === this.#capacity) return false;
    if (now.head < last.head) return true;
    const passedOn = last.head - this.#pending;
    // It has come to the end of the ring while we copied, and goes on at its beginning.
    const torn = Math.max(0, now.head + now.torn - this.#capacity);
    return firstDifference(last.ring, now.ring, torn, passedOn - torn) < (passedOn - torn) / 2;
  }

  #beginAnew({ size, head, torn }: Snapshot): void {
    this.#pending = Math.min(size === this.#capacity ? size : head, this.#capacity - torn);
  }

  /** The oldest of what is pending, from a snapshot. */
  #passOn({ head, ring }: Snapshot, count: number): ConsoleEvent[] {
    const capacity = this.#capacity;
    const start = (head - this.#pending + capacity) % capacity;
    this.#pending -= count;
    let bytes = new Uint8Array(count);
    const first = Math.min(count, capacity - start);
    bytes.set(ring.subarray(start, start + first));
    bytes.set(ring.subarray(0, count - first), first);
    if (this.#skipsLine) {
      const end = bytes.indexOf(0x0a);
      if (end < 0) return [];
      this.#skipsLine = false;
      bytes = bytes.subarray(end + 1);
    }
    return bytes.length > 0 ? [{ kind: 'data', bytes }] : [];
  }

  /** A copy; undefined while there is no zone, as before the guest's kernel has made it ready. */
  #snapshot(zone: Uint8Array, after: Uint8Array): Snapshot | undefined {
    const capacity = this.#capacity;
    const [now, then] = [this.#header(zone), this.#header(after)];
    // A new boot in between is seen whole at the next look.
    if (!now || !then || then.size < now.size || zone.length < HEADER_SIZE + capacity) return undefined;
    const ring = new Uint8Array(zone.subarray(HEADER_SIZE, HEADER_SIZE + capacity));
    return { ...now, ring, torn: (then.head - now.head + capacity) % capacity };
  }

  #header(zone: Uint8Array): { head: number; size: number } | undefined {
    if (zone.length < HEADER_SIZE || readWord(zone, 0, this.#byteOrder) !== SIGNATURE) return undefined;
    const start = readWord(zone, 4, this.#byteOrder);
    const size = readWord(zone, 8, this.#byteOrder);
    if (size > this.#capacity || start > this.#capacity) return undefined;
    // A start that has come to the end is about to be 0.
    return { head: start % this.#capacity, size };
  }
}

/** How many bytes of two rings are the same, from a place on; `length` if all are. */
function firstDifference(one: Uint8Array, other: Uint8Array, start: number, length: number): number {
  const capacity = one.length;
  for (let done = 0; done < length; ) {
    const at = (start + done) % capacity;
    const run = Math.min(length - done, capacity - at);
    for (let index = at; index < at + run; index++) {
      if (one[index] !== other[index]) return done + index - at;
    }
    done += run;
  }
  return length;
}
