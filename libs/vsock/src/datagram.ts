import * as linux from '@vm-tools/linux';
import { type Address, Cid, formatAddress, VSOCK_PORT_ANY, type VsockAddress } from './address.ts';
import { vsockAddress } from './listening.ts';
import { explained, VsockError, type VsockErrorFacts } from './vsock-error.ts';

const { Errno } = linux;
const { AF_VSOCK, MSG_DONTWAIT, SOCK_DGRAM, SOCK_NONBLOCK } = linux.constants;
/** VMCI_MAX_DG_SIZE of linux/vmw_vmci_defs.h; the only transport with datagrams. */
const LONGEST = 17 * 4096;
const SOCKADDR_VM = 16;

/** A message, and who sent it. */
export interface Datagram {
  readonly message: Buffer;
  readonly from: { readonly cid: number; readonly port: number };
}

export interface DatagramOptions {
  /** To receive on; default `Cid.any`. */
  readonly cid?: number | undefined;
  /** Default `VSOCK_PORT_ANY`, which leaves it to the kernel. */
  readonly port?: number | undefined;
}

/**
 * A socket for single messages (`SOCK_DGRAM`), where the kernel has it: VMware's transport does, virtio's does not.
 * @throws VsockError ENODEV: no transport with datagrams
 */
export function openDatagramSocket(options: DatagramOptions = {}): DatagramSocket {
  const { cid = Cid.any, port = VSOCK_PORT_ANY } = options;
  const address: VsockAddress = { kind: 'vsock', cid, port };
  let fd = -1;
  try {
    fd = linux.keptSocket(AF_VSOCK, SOCK_DGRAM | SOCK_NONBLOCK);
    linux.bind(fd, { family: 'vsock', cid, port });
    return new DatagramSocket(fd);
  } catch (error) {
    throw isWithout(error) ? withoutDatagrams(address, error) : explained(error, 'listen on', address);
  } finally {
    if (fd >= 0) linux.close(fd);
  }
}

function isWithout(error: unknown): boolean {
  const codes = ['ENODEV', 'ESOCKTNOSUPPORT', 'EOPNOTSUPP'];
  return error instanceof linux.SystemError && codes.includes(error.code);
}

function withoutDatagrams(address: Address, cause: unknown): VsockError {
  return new VsockError({
    code: 'ENODEV',
    operation: 'listen on',
    address,
    problem: 'no transport of this system has datagrams',
    remedy: 'use seqpacket sockets, or VMware with modprobe vmw_vsock_vmci_transport',
    cause,
  });
}

/** Sends and receives messages without a connection. */
export class DatagramSocket implements Disposable, AsyncIterable<Datagram> {
  /** Where it receives. */
  readonly address: Address;
  readonly #watch: linux.Watch;
  readonly #fd: number;
  readonly #waiting = new Set<{ readonly interest: 'readable' | 'writable'; readonly wake: () => void }>();
  readonly #scratch: Buffer = Buffer.allocUnsafeSlow(LONGEST);

  /** Goes on with a duplicate of `fd`. Use {@link openDatagramSocket}. */
  constructor(fd: number) {
    this.address = vsockAddress(linux.getsockname(fd));
    this.#watch = linux.watch(fd, {}, (events) => this.#wake(events));
    this.#fd = this.#watch.fd;
  }

  /** Sends a message whole, or not at all; that it arrives nobody promises. @throws VsockError; the reason of the signal */
  async send(
    message: Uint8Array,
    to: { readonly cid: number; readonly port: number },
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    const address = linux.encodeAddress({ family: 'vsock', cid: to.cid, port: to.port }, 'sendto');
    for (;;) {
      this.#requireOpen('send to', signal);
      const count = linux.sendto(this.#fd, message, 0, message.length, MSG_DONTWAIT, address);
      if (count >= 0) return;
      if (count !== -Errno.EAGAIN) {
        const error = new linux.SystemError(count, 'sendto');
        throw explained(error, 'send to', { kind: 'vsock', cid: to.cid, port: to.port });
      }
      await this.#wait('writable', signal);
    }
  }

  /** The next message. @throws VsockError; the reason of the signal */
  async receive({ signal }: { readonly signal?: AbortSignal } = {}): Promise<Datagram> {
    const sender = new Uint8Array(SOCKADDR_VM);
    for (;;) {
      this.#requireOpen('receive from', signal);
      const count = linux.recvfrom(this.#fd, this.#scratch, 0, LONGEST, MSG_DONTWAIT, sender);
      if (count >= 0) {
        const { cid, port } = vsockAddress(linux.decodeAddress(sender, 'recvfrom'));
        return { message: Buffer.from(this.#scratch.subarray(0, count)), from: { cid, port } };
      }
      if (count !== -Errno.EAGAIN) {
        throw explained(new linux.SystemError(count, 'recvfrom'), 'receive from', this.address);
      }
      await this.#wait('readable', signal);
    }
  }

  /** Every message, until it is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Datagram, void, void> {
    while (this.#watch.fd >= 0) {
      try {
        yield await this.receive();
      } catch (error) {
        if (error instanceof VsockError && error.code === 'ERR_CLOSED') return;
        throw error;
      }
    }
  }

  /** Twice does no harm. */
  close(): void {
    this.#watch.close();
    for (const { wake } of [...this.#waiting]) wake();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #requireOpen(operation: VsockErrorFacts['operation'], signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.#watch.fd >= 0) return;
    const address = formatAddress(this.address);
    throw new VsockError({ code: 'ERR_CLOSED', operation, address, problem: 'the socket is closed' });
  }

  async #wait(interest: 'readable' | 'writable', signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = { interest, wake: resolve };
    this.#waiting.add(waiting);
    const aborted = () => resolve();
    signal?.addEventListener('abort', aborted, { once: true });
    this.#update();
    await promise;
    signal?.removeEventListener('abort', aborted);
    this.#waiting.delete(waiting);
    this.#update();
  }

  #update(): void {
    const wants = (interest: string) => [...this.#waiting].some((waiting) => waiting.interest === interest);
    this.#watch.update({ readable: wants('readable'), writable: wants('writable') });
  }

  #wake(events: linux.WatchEvents): void {
    for (const { interest, wake } of [...this.#waiting]) if (events[interest] || events.hangup) wake();
  }
}
