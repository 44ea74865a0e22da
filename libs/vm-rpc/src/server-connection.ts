import type { ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { Peer } from '@vm-tools/vsock';
import { WINDOW_BYTES } from './http2-options.ts';
import { KeepAlive, type KeepAliveOptions } from './keep-alive.ts';
import type { Usage } from './usage.ts';

export interface ServerConnectionFacts {
  readonly session: ServerHttp2Session;
  readonly socket: Socket;
  readonly peer: Peer;
  readonly usage: Usage;
  readonly keepAlive: KeepAliveOptions | false;
}

/** One HTTP/2 session of a server. */
export class ServerConnection {
  readonly peer: Peer;
  readonly usage: Usage;
  readonly #session: ServerHttp2Session;

  constructor({ session, socket, peer, usage, keepAlive }: ServerConnectionFacts) {
    this.peer = peer;
    this.usage = usage;
    this.#session = session;
    session.setLocalWindowSize(WINDOW_BYTES);
    if (!keepAlive) return;
    const isWanted = () => true;
    const watch = new KeepAlive({
      ...keepAlive,
      session,
      socket,
      isWanted,
      onSilent: () => session.destroy(),
    });
    session.once('close', () => watch.stop());
  }

  /** Lets the calls under way end, and takes no more. */
  close(): void {
    this.#session.close();
  }

  destroy(): void {
    this.#session.destroy();
  }
}
