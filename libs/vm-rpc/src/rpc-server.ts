import { setMaxListeners } from 'node:events';
import http2, {
  type Http2SecureServer,
  type Http2Server,
  type Http2Session,
  type ServerHttp2Session,
} from 'node:http2';
import type { Socket } from 'node:net';
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import { type Address, formatAddress, type Listener, peerOf } from '@vm-tools/vsock';
import { type Arrivals, LateArrivals, PlainArrivals } from './arrivals.ts';
import { HealthStatus } from './health.ts';
import { sessionOptions } from './http2-options.ts';
import { type PeerCheck, peerCheck } from './peer-rules.ts';
import { serveReflection } from './reflection.ts';
import { RpcError } from './rpc-error.ts';
import { RpcRouter } from './rpc-router.ts';
import type { ServeRpcOptions } from './serve.ts';
import { serveCall } from './server-call.ts';
import { ServerConnection } from './server-connection.ts';
import { DEFAULT_MAX_MESSAGE_BYTES } from './transport.ts';
import { Usages } from './usage.ts';

/** How long handlers have to end once they were told that the server does. */
const ABORT_MS = 1_000;

export interface CloseOptions {
  /** How long calls under way may go on, in milliseconds. Default 5,000. */
  readonly graceMs?: number;
}

/** A server of gRPC; `serveRpc` makes it. */
export class RpcServer implements AsyncDisposable {
  /** What grpc.health.v1 answers. */
  readonly health = new HealthStatus();
  readonly #listener: Listener;
  readonly #options: ServeRpcOptions;
  readonly #http: Http2Server | Http2SecureServer;
  readonly #router: RpcRouter;
  readonly #connections = new Map<Http2Session, ServerConnection>();
  readonly #shutdown = new AbortController();
  readonly #arrivals: Arrivals;
  readonly #usages: Usages;
  readonly #check: PeerCheck;
  readonly #aborted = () => void this.close();
  #closing: Promise<void> | undefined;

  constructor(listener: Listener, routes: (router: ConnectRouter) => void, options: ServeRpcOptions) {
    const { maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES, maxConcurrentCalls = 100, tls } = options;
    this.#listener = listener;
    // Every call listens for it.
    setMaxListeners(0, this.#shutdown.signal);
    this.#options = options;
    this.#usages = new Usages({
      maxConnectionsPerPeer: options.maxConnectionsPerPeer ?? 64,
      maxPendingBytesPerPeer: options.maxPendingBytesPerPeer ?? 2 * maxMessageBytes,
    });
    this.#check = peerCheck(options, tls !== undefined);
    this.#arrivals = tls ? new LateArrivals() : new PlainArrivals();
    this.#router = new RpcRouter({
      interceptors: options.interceptors ?? [],
      maxMessageBytes,
      shutdownSignal: this.#shutdown.signal,
      maxTimeoutMs: options.maxTimeoutMs,
      onHandlerError: options.onHandlerError,
    });
    this.#register(routes);
    const settings = { ...sessionOptions.settings, maxConcurrentStreams: maxConcurrentCalls };
    const session = { ...sessionOptions, settings };
    this.#http = tls ? http2.createSecureServer({ ...tls, ...session }) : http2.createServer(session);
    this.#http.on('session', (each) => this.#begin(each));
    this.#http.on('stream', (stream, headers) => {
      const connection = this.#connections.get(stream.session as Http2Session);
      const handler = this.#router.find(String(headers[':path']));
      if (connection) void serveCall(stream, headers, handler, connection);
    });
    void this.#accept();
    options.signal?.addEventListener('abort', this.#aborted, { once: true });
    if (options.signal?.aborted) void this.close();
  }

  /** Where it listens: a port of 0 is now the one that the kernel chose. */
  get address(): Address {
    return this.#listener.address;
  }

  /** How many connections there are. */
  get connections(): number {
    return this.#connections.size;
  }

  /**
   * Listens no more, lets the calls under way end, then tells what is left to end (the signal of their context) and closes
   * the connections. Twice does no harm.
   */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #register(routes: (router: ConnectRouter) => void): void {
    const { health = true, reflection = true } = this.#options;
    this.#router.register(routes);
    this.health.set('', 'SERVING');
    for (const { typeName } of this.#router.services) this.health.set(typeName, 'SERVING');
    if (health) this.#router.register((router) => this.health.serveOn(router));
    if (reflection) this.#router.register((router) => serveReflection(router, this.#router.services));
  }

  /** Those too that came before there was a server. */
  async #accept(): Promise<void> {
    for await (const socket of this.#listener) this.#arrive(socket);
  }

  #arrive(socket: Socket): void {
    const peer = peerOf(socket);
    const why = this.#check(peer);
    const usage = peer && why === undefined ? this.#usages.enter(peer) : undefined;
    if (!peer || !usage) {
      socket.destroy();
      const code = why === undefined ? 'ERR_RPC_LIMIT' : 'ERR_RPC_PEER_REFUSED';
      const problem = why ?? 'it has as many connections as it may have';
      const address = formatAddress(this.address);
      this.#options.onRefused?.(
        peer,
        new RpcError({ code, address, problem: `a peer was refused: ${problem}` }),
      );
      return;
    }
    socket.once('close', () => this.#usages.leave(peer));
    this.#arrivals.enter({ socket, peer, usage }, () => this.#http.emit('connection', socket));
  }

  #begin(session: ServerHttp2Session): void {
    const arrival = this.#arrivals.current;
    if (!arrival || this.#closing !== undefined) {
      session.destroy();
      return;
    }
    const connection = new ServerConnection({
      ...arrival,
      session,
      keepAlive: this.#options.keepAlive ?? {},
    });
    this.#connections.set(session, connection);
    session.once('close', () => this.#connections.delete(session));
  }

  async #close({ graceMs = 5_000 }: CloseOptions): Promise<void> {
    const all = [...this.#connections.keys()].map(
      (session) => new Promise<void>((resolve) => session.once('close', () => resolve())),
    );
    const ended = Promise.all(all);
    this.#options.signal?.removeEventListener('abort', this.#aborted);
    this.health.end();
    await this.#listener.close();
    for (const connection of this.#connections.values()) connection.close();
    if (await within(ended, graceMs)) return;
    this.#shutdown.abort(new ConnectError('the server ends', Code.Unavailable));
    if (await within(ended, ABORT_MS)) return;
    for (const connection of this.#connections.values()) connection.destroy();
    await ended;
  }
}

/** Whether it ends in time. */
async function within(ended: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([ended.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
