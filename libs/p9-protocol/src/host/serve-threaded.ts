import { SHARE_ENV, Worker } from 'node:worker_threads';
import { close, constants, shutdown } from '@vm-tools/linux';
import type { Connection, ConnectionEnd } from '../server/connection.ts';
import type { ServerOptions } from '../server/session.ts';

export interface ThreadedOptions {
  /**
   * URL of a module that exports `createFileSystem(options)`, which gives a FileSystem or a promise of one. It is loaded in the
   * connection's thread. Default: a `HostFileSystem`.
   */
  module?: string | URL;
  /** Given to `createFileSystem` as a structured clone; for the default, `HostFileSystemOptions`. */
  options: unknown;
  server?: Omit<ServerOptions, 'onWarning'>;
  /** Told of what is odd but no error, in one sentence. */
  onWarning?: (message: string) => void;
}

/** What the thread is given. */
export interface ThreadStart {
  fd: number;
  module: string | undefined;
  options: unknown;
  server: Omit<ServerOptions, 'onWarning'> | undefined;
}

/** What the thread tells. */
export type ThreadMessage = { warning: string } | { end: ConnectionEnd };

/**
 * Serves the client at the other end of a stream socket in a thread of its own (about 13 MB and some 50 ms to start), which is
 * blocked in recv(2) between requests. The caller's event loop is not involved in any request.
 *
 * @param fd a connected stream socket, owned from now on: it is closed when the connection has ended
 */
export function serveThreaded(fd: number, options: ThreadedOptions): Connection {
  return new ThreadedConnection(fd, options);
}

const THREAD = new URL('./connection-thread.ts', import.meta.url);

class ThreadedConnection implements Connection {
  readonly ended: Promise<ConnectionEnd>;
  readonly #fd: number;
  #isClosed = false;
  /** Why it ends, where that is our doing. */
  #asked: ConnectionEnd | undefined;

  constructor(fd: number, { module, options, server, onWarning }: ThreadedOptions) {
    this.#fd = fd;
    const start: ThreadStart = { fd, module: module?.toString(), options, server };
    const worker = new Worker(THREAD, { workerData: start, env: SHARE_ENV, name: '9p connection' });
    let end: ConnectionEnd = {
      reason: 'crashed',
      message: 'the thread of the connection ended without a word',
    };
    worker.on('message', (message: ThreadMessage) => {
      if ('warning' in message) onWarning?.(message.warning);
      else end = message.end;
    });
    worker.on('error', (error) => {
      end = { reason: 'crashed', message: `the thread of the connection failed: ${error.message}`, error };
    });
    this.ended = new Promise((resolve) => {
      worker.on('exit', () => {
        this.#isClosed = true;
        close(fd);
        resolve(end.reason === 'closed' ? (this.#asked ?? end) : end);
      });
    });
  }

  shutdown(): void {
    this.#asked ??= { reason: 'shutdown', message: 'the server was asked to stop' };
    if (!this.#isClosed) shutdown(this.#fd, constants.SHUT_RD);
  }

  destroy(): void {
    this.#asked ??= { reason: 'shutdown', message: 'the server ended the connection' };
    if (!this.#isClosed) shutdown(this.#fd, constants.SHUT_RDWR);
  }
}
