import type { Connection, ConnectionEnd } from '../server/connection.ts';
import { close, constants, shutdown } from './linux.ts';

/** A connection that a thread serves, as the thread that accepted it sees it. Owns the descriptor. */
export class ThreadedConnection implements Connection {
  readonly fd: number;
  readonly ended: Promise<ConnectionEnd>;
  readonly warn: (message: string) => void;
  readonly #resolveEnded: (end: ConnectionEnd) => void;
  #isClosed = false;
  /** Why it ends, where that is our doing. */
  #asked: ConnectionEnd | undefined;

  constructor(fd: number, warn: (message: string) => void) {
    const { promise, resolve } = Promise.withResolvers<ConnectionEnd>();
    this.fd = fd;
    this.ended = promise;
    this.warn = warn;
    this.#resolveEnded = resolve;
  }

  /** The thread is done with the descriptor. */
  finish(end: ConnectionEnd): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    close(this.fd);
    this.#resolveEnded(end.reason === 'closed' ? (this.#asked ?? end) : end);
  }

  shutdown(): void {
    this.#asked ??= { reason: 'shutdown', message: 'the server was asked to stop' };
    if (!this.#isClosed) shutdown(this.fd, constants.SHUT_RD);
  }

  destroy(): void {
    this.#asked ??= { reason: 'shutdown', message: 'the server ended the connection' };
    if (!this.#isClosed) shutdown(this.fd, constants.SHUT_RDWR);
  }
}
