import { accept, Errno, errnoCode, type Watch, watch } from '@vm-tools/linux';

/** Accepted in one turn of the event loop; the rest waits for the next one. */
const BATCH = 32;
const PAUSE_MS = 100;

/** A non-blocking socket that listens, and how it ends. */
export interface Listening {
  readonly fd: number;
  close(): void;
}

/** What is asked of an acceptor's owner. */
export interface AcceptorEvents {
  /** A connected, blocking stream socket, which is the callee's from now on. */
  onConnection(fd: number): void;
  /** No descriptor or memory is left for the next client, who waits. Called once until it works again. */
  onShortage(code: string): void;
}

/** Accepts the connections of a listener, for as long as it is open. */
export class Acceptor implements Disposable {
  readonly #listener: Listening;
  readonly #events: AcceptorEvents;
  readonly #watch: Watch;
  #pause: NodeJS.Timeout | undefined;
  #isShort = false;

  constructor(listener: Listening, events: AcceptorEvents) {
    this.#listener = listener;
    this.#events = events;
    this.#watch = watch(listener.fd, { readable: true }, () => this.#accept());
  }

  /** Ends it, and the listener. Twice does no harm. */
  close(): void {
    clearTimeout(this.#pause);
    this.#watch.close();
    this.#listener.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #accept(): void {
    for (let count = 0; count < BATCH; count++) {
      const fd = accept(this.#listener.fd, 0);
      if (fd >= 0) {
        this.#isShort = false;
        this.#events.onConnection(fd);
      } else if (fd === -Errno.EAGAIN) {
        return;
      } else if (
        fd === -Errno.EMFILE ||
        fd === -Errno.ENFILE ||
        fd === -Errno.ENOBUFS ||
        fd === -Errno.ENOMEM
      ) {
        this.#waitOut(errnoCode(fd));
        return;
      } else if (fd === -Errno.EBADF || fd === -Errno.EINVAL || fd === -Errno.ENOTSOCK) {
        throw new Error(`cannot accept connections: ${errnoCode(fd)}`);
      }
      // Else it is the connection's own trouble, seen early: accept(2), "Error handling".
    }
  }

  /** The client stays in the queue, so that the watch would call again at once, and for ever. */
  #waitOut(code: string): void {
    if (!this.#isShort) this.#events.onShortage(code);
    this.#isShort = true;
    this.#watch.update({});
    this.#pause = setTimeout(() => this.#watch.update({ readable: true }), PAUSE_MS);
  }
}
