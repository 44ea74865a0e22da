import { Errno, type SystemError } from '@vm-tools/linux';
import type { Connection } from '../packets/connection.ts';
import type { HostSide } from '../packets/packet-switch.ts';
import { connectTo, streamPair } from './unix-socket.ts';

/** How often, and for how long, a socket is tried whose backlog is full. */
const RETRY_MS = 10;
const RETRY_FOR_MS = 5000;

export interface PortsOptions {
  /** A connection of the guest to a port that is listened on in process; the socket is the callee's. */
  readonly onAccepted: (port: number, fd: number, guestPort: number) => void;
  /** A connection that had to wait has its socket, or a negative errno. */
  readonly onOpened: (connection: Connection, fd: number) => void;
}

/** Where connections of the guest go, by port. */
export class Ports implements HostSide {
  /** Prefix of the sockets of other programs: port P is `<prefix>_P`. */
  prefix: string | undefined;
  readonly #options: PortsOptions;
  /** A path, or null for what is listened on in process. */
  readonly #targets = new Map<number, string | null>();
  readonly #waiting = new Map<Connection, { readonly path: string; readonly until: number }>();
  #retry: NodeJS.Timeout | undefined;

  constructor(options: PortsOptions) {
    this.#options = options;
  }

  set(port: number, path: string | null): void {
    this.#targets.set(port, path);
  }

  unset(port: number): void {
    this.#targets.delete(port);
  }

  open(connection: Connection): number | undefined {
    const port = connection.hostPort;
    const target = this.#targets.get(port);
    if (target === null) return this.#openInProcess(port, connection.guestPort);
    const path = target ?? (this.prefix === undefined ? undefined : `${this.prefix}_${port}`);
    if (path === undefined) return -Errno.ECONNREFUSED;
    const fd = connectTo(path);
    if (fd !== -Errno.EAGAIN) return fd;
    this.#waiting.set(connection, { path, until: Date.now() + RETRY_FOR_MS });
    this.#retry ??= setTimeout(() => this.#tryAgain(), RETRY_MS);
    return undefined;
  }

  close(): void {
    clearTimeout(this.#retry);
    this.#waiting.clear();
  }

  #openInProcess(port: number, guestPort: number): number {
    try {
      const [ours, theirs] = streamPair();
      this.#options.onAccepted(port, theirs, guestPort);
      return ours;
    } catch (error) {
      return (error as SystemError).errno;
    }
  }

  #tryAgain(): void {
    this.#retry = undefined;
    for (const [connection, { path, until }] of this.#waiting) {
      const isWanted = connection.state === 'opening';
      const fd = isWanted ? connectTo(path) : -Errno.ECONNRESET;
      if (fd === -Errno.EAGAIN && Date.now() < until) continue;
      this.#waiting.delete(connection);
      if (isWanted) this.#options.onOpened(connection, fd);
    }
    if (this.#waiting.size > 0) this.#retry ??= setTimeout(() => this.#tryAgain(), RETRY_MS);
  }
}
