import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { AcceptQueue } from './accept-queue.ts';
import { AcceptingServer } from './accepting-server.ts';
import { type Address, formatAddress } from './address.ts';
import { type SocketStyle, socketStyle } from './adoption.ts';
import { BACKLOG, type Listening } from './listening.ts';
import { parseAddress } from './parse-address.ts';
import type { AcceptCids, Peer } from './peer.ts';
import { type ListenOptions, openSources, type Sources } from './sources.ts';
import { VsockError } from './vsock-error.ts';

export interface StreamListenOptions extends ListenOptions {
  /** Whether accepted sockets stay open when the peer has ended its side. Default false. */
  readonly allowHalfOpen?: boolean | undefined;
}

interface ListenerEvents {
  connection: [socket: Socket];
  /** Someone was turned away: not among `acceptCids`. */
  refused: [peer: Peer];
  /** Something is wrong with one of its sockets; the others go on. */
  error: [error: Error];
  close: [];
}

/** One server of `node:net` on a socket that was opened elsewhere. */
class SourceServer extends AcceptingServer {
  start(at: Listening, backlog: number, style: SocketStyle): this {
    this.acceptOn(at, backlog, style);
    return this;
  }
}

/**
 * Listens on an address of any kind, and resolves when it does.
 * @param address as text or parsed
 * @param onConnection takes every connection; or else `accept`, the `connection` event, or `for await`
 * @throws AddressError the text is no address to listen on; VsockError: see `openListening`
 */
export async function listen(
  address: Address | string,
  options: StreamListenOptions = {},
  onConnection?: (socket: Socket) => void,
): Promise<Listener> {
  const at = typeof address === 'string' ? parseAddress(address, { for: 'listen' }) : address;
  options.signal?.throwIfAborted();
  const listener = new Listener(at, options, await socketStyle());
  if (onConnection) listener.on('connection', onConnection);
  return await listener.open();
}

/** Who waits to be taken has nobody yet to tell of an error: whoever takes it would get a closed socket, and gets the next. */
const ignore = (): void => undefined;

/**
 * Connections of one address, which may be many sockets: AF_VSOCK and the directory of each VM. Connections that nobody takes
 * by event wait for `accept`.
 */
export class Listener extends EventEmitter<ListenerEvents> implements AsyncDisposable {
  readonly #options: StreamListenOptions;
  readonly #style: SocketStyle;
  readonly #servers = new Map<number | undefined, SourceServer>();
  readonly #queue = new AcceptQueue<Socket>((socket) => !socket.removeListener('error', ignore).destroyed);
  readonly #acceptCids: AcceptCids | undefined;
  #address: Address;
  #sources: Sources | undefined;
  #isOpen = true;
  #isReferenced = true;

  /** Use {@link listen}. */
  constructor(address: Address, options: StreamListenOptions, style: SocketStyle) {
    super();
    this.#address = address;
    this.#options = options;
    this.#style = style;
    const { acceptCids } = options;
    // Each server asks it: what can be gone through only once must not be.
    this.#acceptCids =
      acceptCids === undefined || typeof acceptCids === 'function' || acceptCids instanceof Set
        ? acceptCids
        : new Set(acceptCids);
  }

  /** Where it listens: a port that was left to the kernel is the one it chose. */
  get address(): Address {
    return this.#address;
  }

  /** Called by {@link listen}. */
  async open(): Promise<this> {
    try {
      this.#sources = await openSources(this.#address, this.#options, {
        onOpen: (listening, key) => this.#serve(listening, key),
        onGone: (key) => this.#end(key),
        onError: (error) => this.#tell(error),
      });
      this.#address = this.#sources.address;
      if (!this.#isReferenced) this.unref();
      this.#options.signal?.throwIfAborted();
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#options.signal?.addEventListener('abort', this.#aborted, { once: true });
    return this;
  }

  /**
   * The next connection that no event has taken.
   * @throws VsockError ERR_CLOSED: it is closed, or becomes so; the reason of the signal
   */
  accept({ signal }: { readonly signal?: AbortSignal } = {}): Promise<Socket> {
    return this.#queue.take(signal);
  }

  /** Every connection that no event has taken, until it is closed. */
  [Symbol.asyncIterator](): AsyncGenerator<Socket, void, void> {
    return this.#queue.all();
  }

  /**
   * Stops listening and removes the files that it made; whoever waits in `accept` is told. Connections go on, but for those
   * that nobody has taken. Twice does no harm.
   */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#options.signal?.removeEventListener('abort', this.#aborted);
    this.#sources?.vms?.close();
    for (const key of [...this.#servers.keys()]) this.#end(key);
    for (const socket of this.#queue.close(() => this.#closed())) socket.destroy();
    this.emit('close');
  }

  /** Keeps the event loop alive while it listens (so it is at first). */
  ref(): this {
    this.#isReferenced = true;
    this.#sources?.vms?.ref();
    for (const server of this.#servers.values()) server.ref();
    return this;
  }

  unref(): this {
    this.#isReferenced = false;
    this.#sources?.vms?.unref();
    for (const server of this.#servers.values()) server.unref();
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  readonly #aborted = (): void => void this.close();

  #closed(): VsockError {
    return new VsockError({
      code: 'ERR_CLOSED',
      operation: 'accept on',
      address: formatAddress(this.#address),
      problem: 'the listener is closed',
    });
  }

  #serve(listening: Listening, key: number | undefined): void {
    const { allowHalfOpen, backlog = BACKLOG } = this.#options;
    const server = new SourceServer({ allowHalfOpen: allowHalfOpen ?? false, acceptCids: this.#acceptCids });
    server.on('connection', (socket) => this.#take(socket));
    server.on('refused', (peer: Peer) => this.emit('refused', peer));
    server.on('error', (error) => this.#tell(error));
    this.#servers.set(key, server.start(listening, backlog, this.#style));
    if (!this.#isReferenced) server.unref();
    if (!this.#isOpen) this.#end(key);
  }

  #end(key: number | undefined): void {
    this.#servers.get(key)?.close();
    this.#servers.delete(key);
  }

  #take(socket: Socket): void {
    if (this.listenerCount('connection') > 0) this.emit('connection', socket);
    else this.#queue.push(socket.on('error', ignore));
  }

  /** Nobody who listens for errors wants to end the process for one VM of many. */
  #tell(error: Error): void {
    if (this.listenerCount('error') > 0) this.emit('error', error);
  }
}
