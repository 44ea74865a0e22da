import { SHARE_ENV, Worker } from 'node:worker_threads';
import type { Connection, ConnectionEnd } from '../server/connection.ts';
import type { ServerOptions } from '../server/session.ts';
import type { ThreadOrder, ThreadReport, ThreadStart } from './connection-thread.ts';
import { told } from './endings.ts';
import { ThreadedConnection } from './threaded-connection.ts';

export interface ThreadedOptions {
  /**
   * URL of a module that exports `createFileSystem(options)`, which gives a FileSystem or a promise of one. It is loaded in each
   * thread. Default: a `HostFileSystem`.
   */
  module?: string | URL;
  /** Given to `createFileSystem` as a structured clone; for the default, `HostFileSystemOptions`. */
  options: unknown;
  server?: Omit<ServerOptions, 'onWarning'>;
}

export interface ThreadedConnectionOptions {
  /** Told of what is odd but no error, in one sentence. */
  onWarning?: (message: string) => void;
}

export interface ThreadPoolOptions extends ThreadedOptions {
  /** Most connections that have a thread of their own; further ones share as many threads again. Default 8. */
  threads?: number;
}

/** Serving files of the host makes few objects, none of which live: without a limit, room for new ones grows to 48 MB all the same. */
const YOUNG_MB = 2;

const THREAD = new URL('./connection-thread.ts', import.meta.url);

/**
 * Serves the client at the other end of a stream socket in a thread of its own (about 13 MB and some 50 ms to start), which is
 * blocked in recv(2) between requests. The caller's event loop is not involved in any request.
 *
 * @param fd a connected stream socket, owned from now on: it is closed when the connection has ended
 */
export function serveThreaded(fd: number, options: ThreadedOptions & ThreadedConnectionOptions): Connection {
  const connection = new ThreadedConnection(fd, (message) => options.onWarning?.(message));
  new ConnectionThread(options, connection);
  return connection;
}

/**
 * Serves any number of clients: the first ones each in a thread of their own, as `serveThreaded`, those beyond `threads` in threads that they
 * share by epoll.
 */
export class ThreadPool {
  readonly #options: ThreadPoolOptions;
  readonly #threads: number;
  #own = 0;
  readonly #shared = new Set<ConnectionThread>();

  constructor(options: ThreadPoolOptions) {
    this.#options = options;
    this.#threads = options.threads ?? 8;
    if (!Number.isInteger(this.#threads) || this.#threads < 1) {
      throw new RangeError(`threads must be a whole number from 1, not ${options.threads}`);
    }
  }

  /** @param fd as of `serveThreaded` */
  serve(fd: number, { onWarning }: ThreadedConnectionOptions = {}): Connection {
    const connection = new ThreadedConnection(fd, (message) => onWarning?.(message));
    if (this.#own < this.#threads) {
      this.#own++;
      new ConnectionThread(this.#options, connection);
      void connection.ended.then(() => this.#own--);
    } else {
      this.#leastLoaded().serve(connection);
    }
    return connection;
  }

  #leastLoaded(): ConnectionThread {
    let found: ConnectionThread | undefined;
    for (const thread of this.#shared) if (found === undefined || thread.load < found.load) found = thread;
    if (found !== undefined && (found.load === 0 || this.#shared.size >= this.#threads)) return found;
    const thread = new ConnectionThread(this.#options, undefined, () => this.#shared.delete(thread));
    this.#shared.add(thread);
    return thread;
  }
}

/** A worker thread and the connections that it serves: one from the start, or those that come. */
class ConnectionThread {
  readonly #worker: Worker;
  readonly #connections = new Map<number, ThreadedConnection>();

  /** @param only the connection to which the thread belongs; undefined: it is shared, and ends with its last one */
  constructor(options: ThreadedOptions, only: ThreadedConnection | undefined, onEnd?: () => void) {
    const { module, options: fileSystem, server } = options;
    const workerData: ThreadStart = {
      fd: only?.fd,
      module: module?.toString(),
      options: fileSystem,
      server: server && { ...server },
    };
    const resourceLimits = module === undefined ? { maxYoungGenerationSizeMb: YOUNG_MB } : {};
    this.#worker = new Worker(THREAD, { workerData, env: SHARE_ENV, name: '9p', resourceLimits });
    if (only !== undefined) this.#connections.set(only.fd, only);
    let crash: ConnectionEnd = {
      reason: 'crashed',
      message: 'the thread of the connection ended without a word',
    };
    let farewell: ConnectionEnd | undefined;
    this.#worker.on('message', (report: ThreadReport) => {
      if ('warning' in report) this.#connections.get(report.fd)?.warn(report.warning);
      // A thread that ends with its connection is waited for: nothing of it is left when the connection has ended.
      else if (only !== undefined) farewell = told(report.end);
      else this.#finish(report.fd, told(report.end), onEnd);
    });
    this.#worker.on('error', (error) => {
      crash = { reason: 'crashed', message: `the thread of the connection failed: ${error.message}`, error };
    });
    this.#worker.on('exit', () => {
      onEnd?.();
      for (const connection of this.#connections.values()) connection.finish(farewell ?? crash);
    });
  }

  /** How many connections it serves. */
  get load(): number {
    return this.#connections.size;
  }

  serve(connection: ThreadedConnection): void {
    this.#connections.set(connection.fd, connection);
    this.#order({ serve: connection.fd });
  }

  #finish(fd: number, end: ConnectionEnd, onEnd?: () => void): void {
    const connection = this.#connections.get(fd);
    this.#connections.delete(fd);
    connection?.finish(end);
    if (this.#connections.size > 0) return;
    onEnd?.();
    this.#order('end');
  }

  #order(order: ThreadOrder): void {
    this.#worker.postMessage(order);
  }
}
