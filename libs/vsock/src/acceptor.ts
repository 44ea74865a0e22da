import * as linux from '@vm-tools/linux';

const { Errno } = linux;
const { SOCK_NONBLOCK } = linux.constants;

/** Accepted in one turn of the event loop; the rest waits for the next one. */
const BATCH = 32;
const PAUSE_MS = 100;

/** What is asked of an acceptor's owner. */
export interface AcceptorEvents {
  /** A connected, non-blocking, close-on-exec socket, kept (`keptSocket`): the callee's from now on. */
  onConnection(fd: number): void;
  /** No descriptor or memory is left for the next one, who waits. Told once until it works again. */
  onShortage(error: linux.SystemError): void;
}

/** Accepts connections of a listening descriptor, which it owns. */
export class Acceptor implements Disposable {
  readonly #events: AcceptorEvents;
  readonly #watch: linux.Watch;
  #pause: NodeJS.Timeout | undefined;
  #isShort = false;

  /** Owns `fd` from now on; when it throws, the caller still does. */
  constructor(fd: number, events: AcceptorEvents) {
    this.#events = events;
    this.#watch = linux.watch(fd, { readable: true }, () => this.#accept());
    linux.close(fd);
  }

  ref(): void {
    this.#watch.ref();
  }

  unref(): void {
    this.#watch.unref();
  }

  /** Ends it. Twice does no harm. */
  close(): void {
    clearTimeout(this.#pause);
    this.#watch.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #accept(): void {
    for (let count = 0; count < BATCH && this.#watch.fd >= 0; count++) {
      const fd = linux.keptAccept(this.#watch.fd, SOCK_NONBLOCK);
      if (fd >= 0) {
        this.#isShort = false;
        this.#events.onConnection(fd);
      } else if (fd === -Errno.EAGAIN) {
        return;
      } else if ([-Errno.EMFILE, -Errno.ENFILE, -Errno.ENOBUFS, -Errno.ENOMEM].includes(fd)) {
        this.#waitOut(new linux.SystemError(fd, 'accept'));
        return;
      } else if ([-Errno.EBADF, -Errno.EINVAL, -Errno.ENOTSOCK, -Errno.EOPNOTSUPP].includes(fd)) {
        throw new linux.SystemError(fd, 'accept');
      }
      // Else it is the connection's own trouble, seen early: accept(2), "Error handling".
    }
  }

  /** The client stays in the queue, so that the watch would call again at once, and for ever. */
  #waitOut(error: linux.SystemError): void {
    if (!this.#isShort) this.#events.onShortage(error);
    this.#isShort = true;
    this.#watch.update({});
    this.#pause = setTimeout(() => this.#watch.update({ readable: true }), PAUSE_MS);
  }
}
