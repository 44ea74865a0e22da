import { AsyncLocalStorage } from 'node:async_hooks';
import type { Socket } from 'node:net';
import type { Peer } from '@vm-tools/vsock';
import type { Usage } from './usage.ts';

/** A connection that has no session yet. */
export interface Arrival {
  readonly socket: Socket;
  readonly peer: Peer;
  readonly usage: Usage;
}

/** Tells what a session is made on, which Node's event about the session does not. */
export interface Arrivals {
  enter(arrival: Arrival, makeSession: () => void): void;
  /** Of the session that is being made. */
  readonly current: Arrival | undefined;
}

/** Sessions that are made at once. */
export class PlainArrivals implements Arrivals {
  current: Arrival | undefined;

  enter(arrival: Arrival, makeSession: () => void): void {
    this.current = arrival;
    try {
      makeSession();
    } finally {
      this.current = undefined;
    }
  }
}

/** Sessions that are made after a handshake of TLS: what belongs together is known by its asynchronous context. */
export class LateArrivals implements Arrivals {
  readonly #storage = new AsyncLocalStorage<Arrival>();

  get current(): Arrival | undefined {
    return this.#storage.getStore();
  }

  enter(arrival: Arrival, makeSession: () => void): void {
    this.#storage.run(arrival, makeSession);
  }
}
