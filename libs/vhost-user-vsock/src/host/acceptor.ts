import { accept, constants, Errno } from '@vm-tools/linux';
import type { Poller } from '../poller.ts';
import { ListeningSocket } from './unix-socket.ts';

/** How long to wait for descriptors when there are none left. */
const SHORTAGE_MS = 100;

/** Accepts the connections of a Unix socket, for as long as its owner wants more. */
export class Acceptor implements Disposable {
  readonly #listener: ListeningSocket;
  readonly #poller: Poller;
  readonly #token: number;
  readonly #onConnection: (fd: number) => boolean;
  #retry: NodeJS.Timeout | undefined;
  #isPaused = false;
  #isOpen = true;

  /**
   * @param onConnection takes the socket, which is non-blocking; false: no more, until `resume`
   * @throws SystemError
   */
  constructor(path: string, poller: Poller, onConnection: (fd: number) => boolean) {
    this.#listener = new ListeningSocket(path);
    this.#poller = poller;
    this.#onConnection = onConnection;
    this.#token = poller.add(this.#listener.fd, constants.EPOLLIN, { onReady: () => this.#accept() });
  }

  /** Accepts who waits, and who comes. */
  resume(): void {
    this.#isPaused = false;
    this.#accept();
  }

  #accept(): void {
    clearTimeout(this.#retry);
    while (this.#isOpen && !this.#isPaused) {
      const fd = accept(this.#listener.fd, constants.SOCK_NONBLOCK);
      if (fd === -Errno.EAGAIN) return;
      if (fd >= 0) {
        if (!this.#onConnection(fd)) this.#isPaused = true;
      } else if (
        fd === -Errno.EMFILE ||
        fd === -Errno.ENFILE ||
        fd === -Errno.ENOBUFS ||
        fd === -Errno.ENOMEM
      ) {
        this.#retry = setTimeout(() => this.#accept(), SHORTAGE_MS).unref();
        return;
      }
      // Else it is that connection's own trouble: accept(2), "Error handling".
    }
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearTimeout(this.#retry);
    this.#poller.remove(this.#listener.fd, this.#token);
    this.#listener.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
