import type { ClientHttp2Stream, ClientSessionRequestOptions, OutgoingHttpHeaders } from 'node:http2';
import type { ClientConnection } from './client-connection.ts';
import { RpcError } from './rpc-error.ts';
import { unavailable } from './unavailable.ts';

export interface SessionManagerFacts {
  /** For messages. */
  readonly address: string;
  /** Of the URLs that are asked for, as in `http://localhost`. */
  readonly authority: string;
  readonly open: (signal: AbortSignal) => Promise<ClientConnection>;
}

/** How often a connection may end between having been found alive and having been given a call. */
const ATTEMPTS = 3;

/** Keeps one connection for a transport: opens it with the first call, and anew when it has ended. */
export class SessionManager {
  readonly authority: string;
  readonly #facts: SessionManagerFacts;
  readonly #closing = new AbortController();
  #connection: Promise<ClientConnection> | undefined;

  constructor(facts: SessionManagerFacts) {
    this.authority = facts.authority;
    this.#facts = facts;
  }

  /** @throws ConnectError (UNAVAILABLE) when there is no connection to be had */
  async request(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    options: ClientSessionRequestOptions,
  ): Promise<ClientHttp2Stream> {
    for (let attempt = 1; ; attempt++) {
      const connection = await this.#alive();
      try {
        return connection.request({ ...headers, ':method': method, ':path': path }, options);
      } catch (error) {
        if (connection.isUsable || attempt === ATTEMPTS) throw error;
      }
    }
  }

  notifyResponseByteRead(): void {
    // What comes is counted in the socket.
  }

  /** Opens the connection now; resolves when it can be used. */
  async connect(): Promise<void> {
    await this.#alive();
  }

  /** No more calls; resolves when those under way have ended. */
  async close(): Promise<void> {
    const open = this.#connection;
    this.#closing.abort(this.#closed());
    const connection = await open?.catch(() => undefined);
    await connection?.close();
  }

  /** No more calls, and those under way fail. */
  async abort(): Promise<void> {
    const open = this.#connection;
    this.#closing.abort(this.#closed());
    const connection = await open?.catch(() => undefined);
    connection?.destroy(unavailable(this.#closed()));
  }

  async #alive(): Promise<ClientConnection> {
    const { signal } = this.#closing;
    for (;;) {
      if (signal.aborted) throw unavailable(signal.reason);
      const opening = this.#connection ?? this.#open(signal);
      const connection = await opening;
      if (await connection.isAlive()) return connection;
      if (this.#connection === opening) this.#connection = undefined;
    }
  }

  #open(signal: AbortSignal): Promise<ClientConnection> {
    const opening = this.#facts.open(signal).catch((error: unknown) => {
      this.#connection = undefined;
      throw unavailable(error);
    });
    this.#connection = opening;
    return opening;
  }

  #closed(): RpcError {
    const { address } = this.#facts;
    return new RpcError({ code: 'ERR_RPC_CLOSED', address, problem: 'the transport was closed' });
  }
}
