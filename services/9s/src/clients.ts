import type { Listener, Log } from '@vm-tools/daemon';
import { close, getpeername, peerCredentials } from '@vm-tools/linux';
import type { Connection, ConnectionEnd } from '@vm-tools/p9-protocol';

/** What a reply in flight has to get out. */
const GRACE_MS = 1500;

export interface ClientsOptions {
  readonly log: Log;
  readonly max: number;
  /** Serves a client; owns the descriptor unless it throws. */
  readonly serve: (fd: number, log: Log) => Connection;
}

/** The clients that are connected, and how many there were. */
export class Clients {
  readonly #options: ClientsOptions;
  readonly #connections = new Set<Connection>();
  #opened = 0;
  #refused = 0;

  constructor(options: ClientsOptions) {
    this.#options = options;
  }

  /** Serves a client - of a guest, if it has a CID -, or turns it away when there are as many as may be. Takes the descriptor. */
  add(fd: number, family: Listener['name']['family'], cid?: number): void {
    const { max, serve } = this.#options;
    const log = this.#options.log.with({
      connection: this.#opened + this.#refused + 1,
      peer: cid === undefined ? peerOf(fd, family) : `vsock:${cid}`,
    });
    if (this.#connections.size >= max) {
      this.#refused++;
      close(fd);
      log.warn('connection refused: there are as many as --max-connections allows', { max });
      return;
    }
    this.#opened++;
    try {
      const connection = serve(fd, log);
      this.#connections.add(connection);
      void connection.ended.then((end) => this.#remove(connection, end, log));
    } catch (error) {
      close(fd);
      log.error('connection refused: no thread could be started for it', { error });
      return;
    }
    log.info('connection opened', { connected: this.#connections.size });
  }

  #remove(connection: Connection, { reason, message, error }: ConnectionEnd, log: Log): void {
    this.#connections.delete(connection);
    const severity =
      reason === 'crashed' ? 'error' : reason === 'closed' || reason === 'shutdown' ? 'info' : 'warn';
    // Of a crash the stack is wanted too; of the rest one sentence says all.
    const why = reason === 'crashed' ? { error } : { detail: message };
    log[severity]('connection closed', { reason, ...why, connected: this.#connections.size });
  }

  /** Lets every client have the replies to what it has asked, and ends the connections. */
  async shutdown(): Promise<void> {
    const connections = [...this.#connections];
    const all = Promise.all(connections.map(({ ended }) => ended));
    for (const connection of connections) connection.shutdown();
    // A client that takes no replies holds its thread up.
    const late = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, GRACE_MS);
    await all;
    clearTimeout(late);
    this.#options.log.info('served', { connections: this.#opened, refused: this.#refused });
  }
}

/** Who the kernel says is there: process and user of a Unix socket, address of another. */
function peerOf(fd: number, family: Listener['name']['family']): unknown {
  try {
    if (family === 'unix' || family === 'unix-abstract') return peerCredentials(fd);
    const name = getpeername(fd);
    if (!('host' in name)) return undefined;
    return `${name.family === 'inet6' ? `[${name.host}]` : name.host}:${name.port}`;
  } catch (error) {
    // It is gone already; its thread will find out.
    return (error as NodeJS.ErrnoException).code;
  }
}
