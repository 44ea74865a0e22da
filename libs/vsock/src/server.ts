import type { Socket } from 'node:net';
import { AcceptingServer, type VsockServerOptions } from './accepting-server.ts';
import { Cid } from './address.ts';
import { socketStyle } from './adoption.ts';
import { openVsock } from './listen-vsock.ts';
import { BACKLOG } from './listening.ts';

export interface VsockListenOptions {
  /** To listen on; default `Cid.any`. */
  readonly cid?: number | undefined;
  /** `VSOCK_PORT_ANY` leaves it to the kernel. */
  readonly port: number;
  /** How many connections may wait to be accepted; default 512. */
  readonly backlog?: number | undefined;
  /** Bytes that a connection buffers (`SO_VM_SOCKETS_BUFFER_SIZE`); default the kernel's, 262,144. */
  readonly bufferSize?: number | undefined;
  /** Closes the server. */
  readonly signal?: AbortSignal | undefined;
}

/** A `net.Server` that listens on AF_VSOCK. Its sockets are genuine `net.Socket`s, and `peerOf` tells who is there. */
export class VsockServer extends AcceptingServer {
  /** The call of `listen` that counts: it takes a moment, and the server may be closed meanwhile. */
  #listening: object | undefined;

  /**
   * Listens; `listening` or `error` (VsockError) tells how it went. In place of the arguments of `net.Server`, it takes
   * those of AF_VSOCK alone.
   */
  override listen(options: VsockListenOptions, onListening?: () => void): this;
  override listen(...args: unknown[]): this;
  override listen(first: unknown, second?: unknown): this {
    if (
      typeof first !== 'object' ||
      first === null ||
      typeof (first as VsockListenOptions).port !== 'number'
    ) {
      throw new TypeError(
        'a vsock server listens on an object with cid and port: { cid: Cid.any, port: 1024 }',
      );
    }
    const { cid = Cid.any, port, backlog = BACKLOG, bufferSize, signal } = first as VsockListenOptions;
    if (typeof second === 'function') this.once('listening', second as () => void);
    if (signal?.aborted) return this.close();
    signal?.addEventListener('abort', () => this.close(), { once: true });
    const own = {};
    this.#listening = own;
    void socketStyle()
      .then((style) => {
        if (this.#listening !== own) return;
        this.acceptOn(openVsock({ kind: 'vsock', cid, port }, { backlog, bufferSize }), backlog, style);
      })
      .catch((error: unknown) => this.emit('error', error));
    return this;
  }

  override close(callback?: (error?: Error) => void): this {
    this.#listening = undefined;
    return super.close(callback);
  }
}

/** A server for AF_VSOCK with the face of `net.createServer`. */
export function createServer(onConnection?: (socket: Socket) => void): VsockServer;
export function createServer(
  options: VsockServerOptions,
  onConnection?: (socket: Socket) => void,
): VsockServer;
export function createServer(
  first: VsockServerOptions | ((socket: Socket) => void) = {},
  second?: (socket: Socket) => void,
): VsockServer {
  return typeof first === 'function' ? new VsockServer({}, first) : new VsockServer(first, second);
}
