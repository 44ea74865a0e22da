import http2, {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionRequestOptions,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { Socket } from 'node:net';
import { sessionOptions, WINDOW_BYTES } from './http2-options.ts';
import { KeepAlive, type KeepAliveOptions } from './keep-alive.ts';
import { RpcError } from './rpc-error.ts';
import { unavailable } from './unavailable.ts';

export interface ClientConnectionFacts {
  /** For messages. */
  readonly address: string;
  /** Of the URLs that are asked for. */
  readonly authority: string;
  /** Connected; with TLS that is done. */
  readonly socket: Socket;
  /** Below TLS the one that counts what comes. */
  readonly rawSocket: Socket;
  readonly keepAlive: KeepAliveOptions | false;
  /** As in KeepAlive. */
  readonly patienceMs?: number;
  /** Without a call for so long, in milliseconds, it is closed. */
  readonly idleTimeoutMs: number;
}

/** One HTTP/2 session. While it has no calls it keeps no process alive. */
export class ClientConnection {
  readonly #session: ClientHttp2Session;
  readonly #keepAlive: KeepAlive | undefined;
  readonly #idle: NodeJS.Timeout;
  #calls = 0;

  /** @throws RpcError when the session cannot be begun */
  static async open(facts: ClientConnectionFacts): Promise<ClientConnection> {
    const { address, authority, socket } = facts;
    const session = http2.connect(authority, { ...sessionOptions, createConnection: () => socket });
    // Ahead of Node's own listeners, for which a connection that ends is like calls that were given up by the caller.
    const lost = (cause?: unknown) => {
      if (session.destroyed) return;
      const problem =
        cause instanceof Error ? `the connection broke: ${cause.message}` : 'the connection ended';
      session.destroy(unavailable(new RpcError({ code: 'ERR_RPC_LOST', address, problem, cause })));
    };
    socket.prependListener('error', lost);
    socket.prependListener('close', () => lost());
    // Calls are told by their streams.
    session.on('error', () => undefined);
    if (socket.destroyed) lost();
    await new Promise<void>((resolve, reject) => {
      session.once('connect', () => resolve());
      session.once('error', reject);
    });
    return new ClientConnection(session, facts);
  }

  private constructor(session: ClientHttp2Session, facts: ClientConnectionFacts) {
    const { address, keepAlive, rawSocket, patienceMs, idleTimeoutMs } = facts;
    this.#session = session;
    session.setLocalWindowSize(WINDOW_BYTES);
    session.unref();
    this.#idle = setTimeout(() => {
      if (this.#calls === 0) session.close();
    }, idleTimeoutMs).unref();
    if (keepAlive) {
      this.#keepAlive = new KeepAlive({
        ...keepAlive,
        session,
        socket: rawSocket,
        isWanted: () => this.#calls > 0,
        ...(patienceMs === undefined ? {} : { patienceMs }),
        onSilent: (silentMs) => session.destroy(unavailable(silent(address, silentMs))),
      });
    }
    session.once('close', () => {
      clearTimeout(this.#idle);
      this.#keepAlive?.stop();
    });
  }

  get isUsable(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  /** Whether a call may be made here: when nothing was heard for long, that is asked first. */
  async isAlive(): Promise<boolean> {
    if (!this.isUsable) return false;
    if (this.#calls > 0 || !this.#keepAlive?.isSilent) return true;
    return (await this.#keepAlive.ping()) && this.isUsable;
  }

  /** @throws Error when the session has ended (isUsable) */
  request(headers: OutgoingHttpHeaders, options: ClientSessionRequestOptions): ClientHttp2Stream {
    const stream = this.#session.request(headers, options);
    if (this.#calls++ === 0) this.#session.ref();
    stream.once('close', () => {
      if (--this.#calls > 0 || this.#session.destroyed) return;
      this.#session.unref();
      this.#idle.refresh();
    });
    return stream;
  }

  /** Takes no more calls, and ends with the last one. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#session.destroyed) return resolve();
      this.#session.close(() => resolve());
    });
  }

  /** Ends it, and its calls with that error. */
  destroy(error: Error): void {
    this.#session.destroy(error);
  }
}

function silent(address: string, silentMs: number): RpcError {
  const problem = `nothing was heard for ${silentMs} ms, and a ping was not answered: it is suspended, dead or cut off`;
  return new RpcError({ code: 'ERR_RPC_SILENT', address, problem });
}
