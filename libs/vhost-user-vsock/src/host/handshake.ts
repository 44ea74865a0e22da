import { close, constants, Errno, recv } from '@vm-tools/linux';
import type { Poller } from '../poller.ts';

const { EPOLLIN, EPOLLRDHUP, MSG_PEEK } = constants;
/** "CONNECT 4294967295\n" has 19 bytes. */
const LONGEST_LINE = 32;
const MOST_UNREAD = 4096;
const HIGHEST_PORT = 0xfffffffe;

export interface HandshakeOptions {
  readonly poller: Poller;
  readonly timeoutMs: number;
  /** The port that was asked for, and the socket, which is the callee's; or undefined: it is closed. Told once. */
  readonly onEnd: (request: { readonly port: number; readonly fd: number } | undefined) => void;
}

/**
 * The first line that a client of the hybrid socket writes: `CONNECT <port>\n`. What follows it stays in the socket.
 * Source: Firecracker, docs/vsock.md, "Host-Initiated Connections".
 */
export class Handshake implements Disposable {
  readonly #fd: number;
  readonly #options: HandshakeOptions;
  readonly #token: number;
  readonly #line = Buffer.alloc(LONGEST_LINE);
  readonly #timer: NodeJS.Timeout;
  #isOpen = true;

  /** @param fd non-blocking; the handshake's from now on */
  constructor(fd: number, options: HandshakeOptions) {
    this.#fd = fd;
    this.#options = options;
    this.#timer = setTimeout(() => this.close(), options.timeoutMs);
    this.#token = options.poller.add(fd, EPOLLIN | EPOLLRDHUP, { onReady: (events) => this.#read(events) });
  }

  #read(events: number): void {
    if (!this.#isOpen) return;
    const count = recv(this.#fd, this.#line, 0, LONGEST_LINE, MSG_PEEK);
    if (count === -Errno.EAGAIN) return;
    const end = count > 0 ? this.#line.subarray(0, count).indexOf('\n') : -1;
    const port = end < 0 ? undefined : portOf(this.#line.toString('latin1', 0, end));
    if (port !== undefined) {
      recv(this.#fd, this.#line, 0, end + 1, 0);
      this.#end({ port, fd: this.#fd });
    } else if (count <= 0 || count === LONGEST_LINE || end >= 0 || (events & EPOLLRDHUP) !== 0) this.close();
    // Else the rest of the line is still to come.
  }

  /** Turns the client away. Twice does no harm. */
  close(): void {
    if (!this.#isOpen) return;
    // What is left unread would make the end look like an error.
    for (let left = MOST_UNREAD; left > 0; left -= LONGEST_LINE)
      if (recv(this.#fd, this.#line, 0, LONGEST_LINE, 0) <= 0) break;
    this.#end(undefined);
  }

  #end(request: { readonly port: number; readonly fd: number } | undefined): void {
    this.#isOpen = false;
    clearTimeout(this.#timer);
    this.#options.poller.remove(this.#fd, this.#token);
    if (!request) close(this.#fd);
    this.#options.onEnd(request);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function portOf(line: string): number | undefined {
  const port = /^CONNECT (0|[1-9][0-9]{0,9})$/.exec(line)?.[1];
  return port === undefined || Number(port) > HIGHEST_PORT ? undefined : Number(port);
}
