import { close, constants, write } from '@vm-tools/linux';
import { VhostUserError } from '../errors.ts';
import type { Poller } from '../poller.ts';
import type { GuestMemory } from '../virtio/guest-memory.ts';
import { ChainError, Virtqueue } from '../virtio/virtqueue.ts';

const ONE = new Uint8Array(BigUint64Array.of(1n).buffer);

/** Where a ring lies, by addresses of the VMM. */
export interface UserPlaces {
  readonly descriptors: number;
  readonly available: number;
  readonly used: number;
}

/** What the VMM has said of one ring; owns the ring's eventfds. */
export class Ring {
  readonly name: 'rx' | 'tx';
  size = 0;
  places: UserPlaces | undefined;
  /** Index of the next chain. */
  base = 0;
  isEnabled = false;
  queue: Virtqueue | undefined;
  readonly #poller: Poller;
  #kick = -1;
  #kickToken = -1;
  #call = -1;
  #error = -1;

  constructor(name: 'rx' | 'tx', poller: Poller) {
    this.name = name;
    this.#poller = poller;
  }

  /** Whether it has all that it takes to run. */
  get canRun(): boolean {
    return this.isEnabled && this.#kick >= 0 && this.places !== undefined && this.size > 0;
  }

  /**
   * Where the guest tells that there is something in the ring; -1: nowhere. Both rings are looked at whenever anything was told, and an
   * edge-triggered eventfd tells of each write, read or not: so there is nothing to do.
   * @throws {VhostUserError}
   */
  setKick(fd: number): void {
    this.#closeKick();
    if (fd < 0) return;
    try {
      this.#kickToken = this.#poller.add(fd, constants.EPOLLIN, { onReady: () => undefined });
    } catch (cause) {
      close(fd);
      throw new VhostUserError(`the ${this.name} ring's kick is nothing to wait for`, { cause });
    }
    this.#kick = fd;
  }

  setCall(fd: number): void {
    if (this.#call >= 0) close(this.#call);
    this.#call = fd;
  }

  setError(fd: number): void {
    if (this.#error >= 0) close(this.#error);
    this.#error = fd;
  }

  /** Interrupts the guest. */
  interrupt(): void {
    if (this.#call >= 0) write(this.#call, ONE, 0, 8);
  }

  /** Tells the VMM that the ring is broken. */
  reportError(): void {
    if (this.#error >= 0) write(this.#error, ONE, 0, 8);
  }

  /** The ring as it now lies in memory. @throws {VhostUserError} */
  map(memory: GuestMemory, hasEventIndex: boolean): Virtqueue {
    const places = this.places as UserPlaces;
    const at = (userAddress: number, what: string) => {
      const address = memory.guestAddressOf(userAddress);
      if (address === undefined)
        throw new VhostUserError(`the ${this.name} ring's ${what} at ${userAddress} is not in guest memory`);
      return address;
    };
    try {
      this.queue = new Virtqueue(
        memory,
        {
          size: this.size,
          descriptors: at(places.descriptors, 'descriptor table'),
          available: at(places.available, 'available ring'),
          used: at(places.used, 'used ring'),
        },
        { next: this.queue?.next ?? this.base, hasEventIndex },
      );
    } catch (cause) {
      if (!(cause instanceof ChainError)) throw cause;
      throw new VhostUserError(`the ${this.name} ring cannot be used: ${cause.message}`, { cause });
    }
    return this.queue;
  }

  /** Ends the ring. @returns the index of the chain that would have come next */
  stop(): number {
    this.base = this.queue?.next ?? this.base;
    this.queue = undefined;
    this.#closeKick();
    return this.base;
  }

  /** Forgets everything. */
  close(): void {
    this.stop();
    this.setCall(-1);
    this.setError(-1);
    this.places = undefined;
    this.isEnabled = false;
    this.size = 0;
    this.base = 0;
  }

  #closeKick(): void {
    if (this.#kick < 0) return;
    this.#poller.remove(this.#kick, this.#kickToken);
    close(this.#kick);
    this.#kick = -1;
  }
}
