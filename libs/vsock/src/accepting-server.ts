import cluster from 'node:cluster';
import { randomUUID } from 'node:crypto';
import { Server, type ServerOpts, type Socket } from 'node:net';
import * as linux from '@vm-tools/linux';
import { Acceptor } from './acceptor.ts';
import { formatAddress } from './address.ts';
import { adopt, descriptorOf, type SocketStyle } from './adoption.ts';
import type { Listening } from './listening.ts';
import { type AcceptCids, admission, type Peer, peerOf, withEnds } from './peer.ts';

const { AF_UNIX, SOCK_NONBLOCK, SOCK_STREAM } = linux.constants;

export interface VsockServerOptions extends Pick<ServerOpts, 'allowHalfOpen' | 'pauseOnConnect'> {
  /** CIDs that may connect; others are closed at once, and told as `refused`. Everyone, unless given. */
  readonly acceptCids?: AcceptCids | undefined;
}

/** A `net.Server` on a listening descriptor of any family: its sockets know their peers, and those not admitted get none. */
export class AcceptingServer extends Server {
  readonly #options: VsockServerOptions;
  readonly #admits: (peer: Peer) => boolean;
  #at: Listening | undefined;
  #acceptor: Acceptor | undefined;
  readonly #accepted = new Set<Socket>();

  constructor(options: VsockServerOptions, onConnection?: (socket: Socket) => void) {
    const { allowHalfOpen = false, pauseOnConnect = false } = options;
    super({ allowHalfOpen, pauseOnConnect }, onConnection);
    this.#options = options;
    this.#admits = admission(options.acceptCids);
  }

  /** Where it listens, as text. */
  override address(): string | null {
    return this.listening && this.#at ? formatAddress(this.#at.address) : null;
  }

  /** The socket's descriptor is the server's from now on; also when it throws. */
  protected acceptOn(at: Listening, backlog: number, style: SocketStyle): void {
    this.#at = at;
    try {
      // In a worker of node:cluster a descriptor that is listened on goes to the primary.
      if (style === 'polled' || cluster.isWorker) this.#acceptNatively(at);
      else if (at.isVsock) this.#takePlace(at, backlog);
      else {
        super.listen({ fd: at.fd }, backlog);
        linux.letGo(at.fd);
      }
    } catch (error) {
      linux.close(at.fd);
      at.removeFile();
      throw error;
    }
  }

  /** As of `net.Server`: no more connections; calls back when those that there are have ended. */
  override close(callback?: (error?: Error) => void): this {
    if (this.listening) this.#at?.removeFile();
    if (this.#acceptor === undefined) return super.close(callback);
    this.#acceptor.close();
    this.#acceptor = undefined;
    if (callback) this.once('close', callback);
    this.#closeIfIdle();
    return this;
  }

  /** Closes it, and waits until its connections have ended. */
  override async [Symbol.asyncDispose](): Promise<void> {
    if (!this.listening) return;
    await new Promise<void>((resolve) => this.close(() => resolve()));
  }

  override ref(): this {
    this.#acceptor?.ref();
    return super.ref();
  }

  override unref(): this {
    this.#acceptor?.unref();
    return super.unref();
  }

  override getConnections(callback: (error: Error | null, count: number) => void): this {
    if (this.#accepted.size === 0) return super.getConnections(callback);
    process.nextTick(callback, null, this.#accepted.size);
    return this;
  }

  /** Lets no connection out whose peer is not known or not admitted. */
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    const [socket] = args;
    if (event !== 'connection' || !this.#at || peerOf(socket as Socket)) return super.emit(event, ...args);
    const fd = descriptorOf(socket as Socket);
    const peer = fd === undefined ? undefined : this.#at.identify(fd);
    if (peer !== undefined && this.#admits(peer)) {
      return super.emit(event, withEnds(socket as Socket, peer, this.#at.address));
    }
    (socket as Socket).destroy();
    return peer !== undefined && super.emit('refused', peer);
  }

  /** As `adopt` does with a connection: libuv gets a Unix socket to listen on, and AF_VSOCK takes its place. */
  #takePlace(at: Listening, backlog: number): void {
    const place = linux.keptSocket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
    linux.bind(place, { family: 'unix-abstract', name: `vm-tools-${randomUUID()}` });
    super.listen({ fd: place }, backlog);
    linux.letGo(place);
    // If not, it has closed the number, and tells why by an event.
    if (!this.listening) {
      linux.close(at.fd);
      return;
    }
    linux.check(linux.dup3(at.fd, place), 'dup3');
    linux.close(at.fd);
  }

  #acceptNatively(at: Listening): void {
    Object.defineProperty(this, 'listening', { get: () => this.#acceptor !== undefined, configurable: true });
    this.#acceptor = new Acceptor(at.fd, {
      onConnection: (fd) => this.#accept(fd, at),
      onShortage: (error) => super.emit('error', error),
    });
    process.nextTick(() => this.listening && super.emit('listening'));
  }

  #accept(fd: number, at: Listening): void {
    const peer = at.identify(fd);
    if (peer === undefined || !this.#admits(peer)) {
      linux.close(fd);
      if (peer !== undefined) super.emit('refused', peer);
      return;
    }
    const isFull = this.maxConnections !== undefined && this.#accepted.size >= this.maxConnections;
    if (isFull) {
      linux.close(fd);
      super.emit('drop', {});
      return;
    }
    const { allowHalfOpen = false, pauseOnConnect = false } = this.#options;
    const socket = withEnds(adopt(fd, { allowHalfOpen }), peer, at.address);
    if (pauseOnConnect) socket.pause();
    this.#accepted.add(socket);
    socket.once('close', () => {
      this.#accepted.delete(socket);
      if (this.#acceptor === undefined) this.#closeIfIdle();
    });
    super.emit('connection', socket);
  }

  #closeIfIdle(): void {
    if (this.#accepted.size === 0) process.nextTick(() => super.emit('close'));
  }
}
