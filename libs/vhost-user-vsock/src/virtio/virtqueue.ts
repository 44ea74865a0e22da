import type { GuestMemory } from './guest-memory.ts';

/** Flags of a descriptor (virtio specification, 2.7.5). */
const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;
const DESCRIPTOR_BYTES = 16;

/** Flag of the available ring, then of the used ring: the other side need not be told (2.7.6, 2.7.8). */
const NO_INTERRUPT = 1;
const NO_NOTIFY = 1;

/** Pieces of one chain; what one recvmsg(2) or sendmsg(2) takes. A Linux guest uses at most 20. */
export const LONGEST_CHAIN = 1024;

/** Where a ring lies, by guest addresses. */
export interface RingPlaces {
  readonly size: number;
  readonly descriptors: number;
  readonly available: number;
  readonly used: number;
}

/** What a chain of descriptors consists of. One object is used over and over. */
export class Chain {
  /** Its first descriptor, which names it when it is given back. */
  head = 0;
  /** Pairs of address and length: first what the device reads, then what it writes. No empty ones. */
  readonly ranges = new Float64Array(2 * LONGEST_CHAIN);
  /** How many of the pieces are to be read, and how many bytes these are. */
  readable = 0;
  readableBytes = 0;
  writable = 0;
  writableBytes = 0;
}

/** A broken rule of a ring; who owns the ring says which one it was. */
export class ChainError extends Error {
  override readonly name = 'ChainError';
}

/**
 * A split virtqueue (virtio specification, 2.7), seen from the device. What the guest wrote is read once and checked
 * before it is used; a ChainError means that the ring must not be touched any more.
 */
export class Virtqueue {
  readonly size: number;
  /** Index of the next chain to take, as the guest counts; 16 bits. */
  next: number;
  readonly #memory: GuestMemory;
  readonly #hasEventIndex: boolean;
  readonly #descriptors: Uint32Array;
  /** flags, idx, ring[size], used_event */
  readonly #available: Uint16Array;
  /** flags, idx */
  readonly #used: Uint16Array;
  readonly #usedRing: Uint32Array;
  readonly #availableEvent: Uint16Array;
  #usedIndex: number;
  /** `#usedIndex` when the guest was last told, or would have been had it wanted to. */
  #toldIndex: number;
  #hasTold = false;
  #availableSeen: number;

  /** @throws {ChainError} when the ring is not in the guest's memory */
  constructor(
    memory: GuestMemory,
    places: RingPlaces,
    { next, hasEventIndex }: { next: number; hasEventIndex: boolean },
  ) {
    const { size, descriptors, available, used } = places;
    if (size < 1 || size > 32768 || (size & (size - 1)) !== 0)
      throw new ChainError(`its size is ${size}, not a power of two up to 32768`);
    inMemory(memory, 'the descriptor table', descriptors, DESCRIPTOR_BYTES * size, 16);
    inMemory(memory, 'the available ring', available, 6 + 2 * size, 2);
    inMemory(memory, 'the used ring', used, 6 + 8 * size, 4);
    const { buffer } = memory.bytes;
    this.size = size;
    this.#memory = memory;
    this.#hasEventIndex = hasEventIndex;
    this.#descriptors = new Uint32Array(buffer, descriptors, 4 * size);
    this.#available = new Uint16Array(buffer, available, 3 + size);
    this.#used = new Uint16Array(buffer, used, 2);
    this.#usedRing = new Uint32Array(buffer, used + 4, 2 * size);
    this.#availableEvent = new Uint16Array(buffer, used + 4 + 8 * size, 1);
    this.next = next & 0xffff;
    this.#availableSeen = this.next;
    this.#usedIndex = Atomics.load(this.#used, 1);
    this.#toldIndex = this.#usedIndex;
  }

  /** How many chains can be taken. @throws {ChainError} */
  pending(): number {
    this.#availableSeen = Atomics.load(this.#available, 1);
    const count = (this.#availableSeen - this.next) & 0xffff;
    if (count > this.size)
      throw new ChainError(`its available index went from ${this.next} to ${this.#availableSeen}`);
    return count;
  }

  /** Takes the next chain, if there is one. @throws {ChainError} */
  take(chain: Chain): boolean {
    if (this.#availableSeen === this.next && this.pending() === 0) return false;
    const head = this.#available[2 + (this.next & (this.size - 1))] as number;
    this.#walk(chain, head);
    this.next = (this.next + 1) & 0xffff;
    return true;
  }

  /** Puts the last `count` chains back, to be taken again. */
  putBack(count: number): void {
    this.next = (this.next - count) & 0xffff;
  }

  /** Gives a chain back, with how many bytes were written to it. The guest sees it after `publish`. */
  giveBack(head: number, written: number): void {
    const at = 2 * (this.#usedIndex & (this.size - 1));
    this.#usedRing[at] = head;
    this.#usedRing[at + 1] = written;
    this.#usedIndex = (this.#usedIndex + 1) & 0xffff;
  }

  /** How many chains were given back that the guest does not see yet. */
  get unpublished(): number {
    return (this.#usedIndex - this.#toldIndex) & 0xffff;
  }

  /** Lets the guest see what was given back. @returns whether it wants to be told by an interrupt */
  publish(): boolean {
    const [index, told] = [this.#usedIndex, this.#toldIndex];
    if (index === told) return false;
    // Both of these are full barriers: the guest's wish is read after the index is there for it to see.
    Atomics.store(this.#used, 1, index);
    const first = !this.#hasTold;
    this.#hasTold = true;
    if (!this.#hasEventIndex) {
      this.#toldIndex = index;
      return (Atomics.load(this.#available, 0) & NO_INTERRUPT) === 0;
    }
    const event = Atomics.load(this.#available, 2 + this.size);
    this.#toldIndex = index;
    return first || ((index - event - 1) & 0xffff) < ((index - told) & 0xffff);
  }

  /** Whether there is nothing to take; if so, the guest tells from now on when there is. @throws {ChainError} */
  sleep(): boolean {
    if (this.#hasEventIndex) Atomics.store(this.#availableEvent, 0, this.next);
    else Atomics.store(this.#used, 0, 0);
    return this.pending() === 0;
  }

  /** Spares the guest to tell what is seen anyway. */
  wake(): void {
    if (!this.#hasEventIndex) Atomics.store(this.#used, 0, NO_NOTIFY);
  }

  #walk(chain: Chain, head: number): void {
    chain.head = head;
    chain.readable = chain.readableBytes = chain.writable = chain.writableBytes = 0;
    const table = this.#descriptors;
    let index = head;
    for (let steps = 0; ; steps++) {
      if (index >= this.size) throw new ChainError(`descriptor ${index} of ${this.size} is named`);
      if (steps >= this.size) throw new ChainError(`the chain at descriptor ${head} is a loop`);
      const at = 4 * index;
      const [low, high] = [table[at] as number, table[at + 1] as number];
      const [length, last] = [table[at + 2] as number, table[at + 3] as number];
      const flags = last & 0xffff;
      if ((flags & INDIRECT) !== 0) {
        if ((flags & NEXT) !== 0) throw new ChainError(`descriptor ${index} is indirect, but not the last`);
        this.#walkIndirect(chain, addressOf(low, high), length);
        return;
      }
      this.#add(chain, addressOf(low, high), length, flags);
      if ((flags & NEXT) === 0) return;
      index = last >>> 16;
    }
  }

  #walkIndirect(chain: Chain, table: number, bytes: number): void {
    const size = bytes / DESCRIPTOR_BYTES;
    if (size < 1 || bytes % DESCRIPTOR_BYTES !== 0)
      throw new ChainError(`an indirect table has ${bytes} bytes`);
    if (!this.#memory.holds(table, bytes))
      throw new ChainError(`an indirect table of ${bytes} bytes at ${table} is not in its memory`);
    const { view } = this.#memory;
    let index = 0;
    for (let steps = 0; ; steps++) {
      if (index >= size) throw new ChainError(`descriptor ${index} of an indirect table of ${size} is named`);
      if (steps >= size) throw new ChainError('an indirect table has a loop');
      const at = table + DESCRIPTOR_BYTES * index;
      const address = addressOf(view.getUint32(at, true), view.getUint32(at + 4, true));
      const length = view.getUint32(at + 8, true);
      const last = view.getUint32(at + 12, true);
      if ((last & INDIRECT) !== 0) throw new ChainError('an indirect table holds an indirect descriptor');
      this.#add(chain, address, length, last & 0xffff);
      if ((last & NEXT) === 0) return;
      index = last >>> 16;
    }
  }

  #add(chain: Chain, address: number, length: number, flags: number): void {
    if (length === 0) return;
    if (!this.#memory.holds(address, length))
      throw new ChainError(`a buffer of ${length} bytes at ${address} is not in its memory`);
    const count = chain.readable + chain.writable;
    if (count === LONGEST_CHAIN) throw new ChainError(`a chain has more than ${LONGEST_CHAIN} buffers`);
    chain.ranges[2 * count] = address;
    chain.ranges[2 * count + 1] = length;
    if ((flags & WRITE) !== 0) {
      chain.writable++;
      chain.writableBytes += length;
    } else {
      if (chain.writable > 0) throw new ChainError('a buffer to read comes after one to write');
      chain.readable++;
      chain.readableBytes += length;
    }
  }
}

/** Beyond 2^53 nothing is exact, and nothing is memory. */
function addressOf(low: number, high: number): number {
  return high * 0x1_0000_0000 + low;
}

function inMemory(
  memory: GuestMemory,
  what: string,
  address: number,
  bytes: number,
  alignment: number,
): void {
  if (address % alignment !== 0) throw new ChainError(`${what} at ${address} is not aligned to ${alignment}`);
  if (!memory.holds(address, bytes))
    throw new ChainError(`${what} of ${bytes} bytes at ${address} is not in its memory`);
}
