import { close, constants, eventfd, recvmsg, sendmsg, setNonblocking, socketpair } from '@vm-tools/linux';

/** What a message is, without its version. */
interface Sent {
  readonly request: number;
  readonly payload?: Uint8Array;
  readonly descriptors?: readonly number[];
  readonly needsReply?: boolean;
}

/** The VMM's end of vhost-user, as a test plays it: it sends what it likes. */
export class FrontEnd implements Disposable {
  /** The end that the device is given. */
  readonly deviceEnd: number;
  readonly #fd: number;
  readonly #eventfds: number[] = [];

  constructor() {
    const { AF_UNIX, SOCK_STREAM } = constants;
    [this.#fd, this.deviceEnd] = socketpair(AF_UNIX, SOCK_STREAM);
    setNonblocking(this.#fd, true);
    setNonblocking(this.deviceEnd, true);
  }

  send({ request, payload = new Uint8Array(), descriptors = [], needsReply = false }: Sent): void {
    const header = Uint32Array.of(request, 1 | (needsReply ? 8 : 0), payload.length);
    this.sendBytes(Buffer.concat([new Uint8Array(header.buffer), payload]), descriptors);
  }

  sendBytes(bytes: Uint8Array, descriptors: readonly number[] = []): void {
    sendmsg(this.#fd, bytes, 0, bytes.length, 0, Int32Array.from(descriptors), descriptors.length);
  }

  /** What the device has answered, as it came: undefined when it has not, null when it has hung up. */
  receive(): Buffer | undefined | null {
    const buffer = Buffer.alloc(8192);
    const count = recvmsg(this.#fd, buffer, 0, buffer.length, 0, new Int32Array(8));
    if (count === 0) return null;
    return count < 0 ? undefined : buffer.subarray(0, count);
  }

  /** The payload of the reply to a request. */
  ask(request: number, payload: Uint8Array, poll: () => void): Buffer {
    this.send({ request, payload });
    poll();
    const reply = this.receive();
    if (!reply) throw new Error(`no reply to ${request}`);
    return reply.subarray(12);
  }

  /** An eventfd that lives as long as this end. */
  eventfd(): number {
    const fd = eventfd(0, constants.EFD_NONBLOCK);
    this.#eventfds.push(fd);
    return fd;
  }

  /** Hangs up. */
  [Symbol.dispose](): void {
    for (const fd of this.#eventfds.splice(0)) close(fd);
    if (this.#fd >= 0) close(this.#fd);
  }
}

export function u64(...values: (number | bigint)[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(values.map(BigInt)).buffer);
}

export function u32(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}
