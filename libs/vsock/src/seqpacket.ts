import * as linux from '@vm-tools/linux';
import { AcceptQueue } from './accept-queue.ts';
import { Acceptor } from './acceptor.ts';
import { type Address, Cid, formatAddress, type VsockAddress } from './address.ts';
import { connectDescriptor, type WaitOptions } from './connect.ts';
import { openVsock } from './listen-vsock.ts';
import { kernelPeer, type Listening } from './listening.ts';
import { MessageSocket } from './message-socket.ts';
import { type AcceptCids, admission, type Peer } from './peer.ts';
import type { VsockListenOptions } from './server.ts';
import { VsockError } from './vsock-error.ts';

const { SOCK_SEQPACKET } = linux.constants;

export interface SeqpacketConnectOptions extends WaitOptions {
  readonly cid: number;
  readonly port: number;
  /** Bytes of the longest message that can be received; default the kernel's, 262,144. */
  readonly bufferSize?: number | undefined;
}

/** Connects to a port by AF_VSOCK, for messages. @throws as `connect` */
export async function connectSeqpacket(options: SeqpacketConnectOptions): Promise<MessageSocket> {
  const { cid, port } = options;
  const fd = await connectDescriptor(SOCK_SEQPACKET, options);
  return new MessageSocket(fd, { kind: 'vsock', cid, port }, { kind: 'vsock', cid, port, by: 'kernel' });
}

export interface SeqpacketListenOptions extends VsockListenOptions {
  /** CIDs that may connect; others are closed at once. Everyone, unless given. */
  readonly acceptCids?: AcceptCids | undefined;
}

/** Listens on AF_VSOCK, for connections of messages. @throws VsockError */
export function listenSeqpacket(options: SeqpacketListenOptions): SeqpacketListener {
  const { cid = Cid.any, port, signal } = options;
  signal?.throwIfAborted();
  return new SeqpacketListener({ kind: 'vsock', cid, port }, options);
}

/** Connections of messages, as they come in. */
export class SeqpacketListener implements Disposable, AsyncIterable<MessageSocket> {
  /** Where it listens: a port that was left to the kernel is the one it chose. */
  readonly address: Address;
  readonly #acceptor: Acceptor;
  readonly #admits: (peer: Peer) => boolean;
  readonly #queue = new AcceptQueue<MessageSocket>();
  readonly #signal: AbortSignal | undefined;
  #isOpen = true;

  /** Use {@link listenSeqpacket}. */
  constructor(address: VsockAddress, options: SeqpacketListenOptions) {
    const at: Listening = openVsock(address, options, SOCK_SEQPACKET);
    this.address = at.address;
    this.#admits = admission(options.acceptCids);
    this.#acceptor = new Acceptor(at.fd, {
      onConnection: (fd) => this.#take(fd),
      onShortage: () => undefined,
    });
    this.#signal = options.signal;
    this.#signal?.addEventListener('abort', this.#aborted, { once: true });
  }

  /** The next connection. @throws VsockError ERR_CLOSED: it is closed, or becomes so; the reason of the signal */
  accept({ signal }: { readonly signal?: AbortSignal } = {}): Promise<MessageSocket> {
    return this.#queue.take(signal);
  }

  /** Every connection, until it is closed. */
  [Symbol.asyncIterator](): AsyncGenerator<MessageSocket, void, void> {
    return this.#queue.all();
  }

  /** Stops listening; whoever waits is told. Connections go on, but for those nobody has taken. Twice does no harm. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#signal?.removeEventListener('abort', this.#aborted);
    this.#acceptor.close();
    const address = formatAddress(this.address);
    const closed = () =>
      new VsockError({
        code: 'ERR_CLOSED',
        operation: 'accept on',
        address,
        problem: 'the listener is closed',
      });
    for (const socket of this.#queue.close(closed)) socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  readonly #aborted = (): void => this.close();

  #take(fd: number): void {
    const peer = kernelPeer(fd);
    if (peer !== undefined && this.#admits(peer)) this.#queue.push(new MessageSocket(fd, this.address, peer));
    else linux.close(fd);
  }
}
