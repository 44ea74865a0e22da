import * as linux from '@vm-tools/linux';
import { type Address, formatAddress } from './address.ts';
import type { Peer } from './peer.ts';
import { explained, VsockError, type VsockErrorFacts } from './vsock-error.ts';
import { bufferSizes } from './vsock-options.ts';

const { Errno } = linux;
const { MSG_DONTWAIT, MSG_TRUNC, SHUT_RDWR, SHUT_WR } = linux.constants;

/**
 * A connection of messages (`SOCK_SEQPACKET`): what was sent by one `send` comes out of one `receive`. Not a stream of Node.js,
 * which would glue messages together.
 */
export class MessageSocket implements Disposable, AsyncIterable<Buffer> {
  readonly peer: Peer;
  readonly #address: Address;
  readonly #watch: linux.Watch;
  readonly #fd: number;
  readonly #room: number;
  #scratch: Buffer | undefined;
  #ready: (() => void) | undefined;
  #sending: Promise<unknown> = Promise.resolve();
  #receiving: Promise<unknown> = Promise.resolve();

  /** Owns `fd` from now on; also when it throws. Use `connectSeqpacket` or `listenSeqpacket`. */
  constructor(fd: number, address: Address, peer: Peer) {
    this.#address = address;
    this.peer = peer;
    try {
      // Nothing longer is let through to this end.
      this.#room = bufferSizes(fd).size;
      this.#watch = linux.watch(fd, {}, () => this.#wake());
      this.#fd = this.#watch.fd;
      // Sending has to block: see `send`.
      linux.setNonblocking(this.#fd, false);
    } finally {
      linux.close(fd);
    }
  }

  /**
   * Sends a message; resolves when the kernel has all of it, in the order of the calls. It may wait for the peer to take earlier
   * ones: to give up, close the socket.
   * @throws VsockError ERR_MESSAGE_SIZE: empty, or more than the peer's buffer; EPIPE; ERR_CLOSED
   */
  send(message: Uint8Array): Promise<void> {
    const sent = this.#sending.then(() => this.#send(message));
    this.#sending = sent.catch(() => undefined);
    return sent;
  }

  /** The next message; undefined: the peer has ended. @throws VsockError; the reason of the signal */
  receive({ signal }: { readonly signal?: AbortSignal } = {}): Promise<Buffer | undefined> {
    const received = this.#receiving.then(() => this.#receive(signal));
    this.#receiving = received.catch(() => undefined);
    return received;
  }

  /** Every message, until the peer ends. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    for (let message = await this.receive(); message; message = await this.receive()) yield message;
  }

  /** Sends nothing more, once what is being sent has gone; the peer receives its end. */
  async end(): Promise<void> {
    await this.#sending;
    if (this.#watch.fd >= 0) linux.shutdown(this.#fd, SHUT_WR);
  }

  /** Ends it in both directions at once. Twice does no harm. */
  close(): void {
    if (this.#watch.fd < 0) return;
    linux.shutdown(this.#fd, SHUT_RDWR); // whoever waits in a send
    this.#watch.close();
    this.#wake();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Never with O_NONBLOCK: when there is room for a part of a message, Linux (6.1) sends that part, says EAGAIN, and joins it to
   * whatever is sent next.
   */
  async #send(message: Uint8Array): Promise<void> {
    if (this.#watch.fd < 0) throw this.#closed('send to');
    if (message.length === 0) throw this.#tooLong('an empty message cannot be sent');
    const result = await linux.sendAside(this.#fd, message, 0, message.length, 0);
    if (result === message.length) return;
    if (result === -Errno.EMSGSIZE || result === -Errno.ENOMEM) {
      throw this.#tooLong(`the peer has no room for ${message.length} bytes at once`);
    }
    throw this.#failed(result < 0 ? result : -Errno.EIO, 'send to', 'send');
  }

  async #receive(signal: AbortSignal | undefined): Promise<Buffer | undefined> {
    for (;;) {
      signal?.throwIfAborted();
      if (this.#watch.fd < 0) throw this.#closed('receive from');
      this.#scratch ??= Buffer.allocUnsafeSlow(this.#room);
      const count = linux.recv(this.#fd, this.#scratch, 0, this.#room, MSG_DONTWAIT | MSG_TRUNC);
      if (count === 0) return undefined;
      if (count > this.#room)
        throw this.#tooLong(`a message of ${count} bytes came, for which there is no room`);
      if (count > 0) return Buffer.from(this.#scratch.subarray(0, count));
      if (count !== -Errno.EAGAIN) throw this.#failed(count, 'receive from', 'recv');
      await this.#readable(signal);
    }
  }

  async #readable(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ready = resolve;
    const aborted = () => resolve();
    signal?.addEventListener('abort', aborted, { once: true });
    this.#watch.update({ readable: true });
    await promise;
    signal?.removeEventListener('abort', aborted);
    this.#watch.update({});
  }

  #wake(): void {
    this.#ready?.();
    this.#ready = undefined;
  }

  #closed(operation: VsockErrorFacts['operation']): VsockError {
    const address = formatAddress(this.#address);
    return new VsockError({ code: 'ERR_CLOSED', operation, address, problem: 'the socket is closed' });
  }

  #tooLong(problem: string): VsockError {
    return new VsockError({
      code: 'ERR_MESSAGE_SIZE',
      operation: 'send to',
      address: this.#address,
      problem,
      remedy: 'send a shorter message, or give both ends a larger bufferSize',
    });
  }

  #failed(errno: number, operation: VsockErrorFacts['operation'], syscall: string): Error {
    if (this.#watch.fd < 0) return this.#closed(operation);
    return explained(new linux.SystemError(errno, syscall), operation, this.#address) as Error;
  }
}
