import { close, constants, Errno, recvv, send, sendv, shutdown } from '@vm-tools/linux';
import { Shutdown } from './header.ts';

const { MSG_DONTWAIT, SHUT_RD, SHUT_WR } = constants;

/** What the guest may send before it hears that some was taken: at first, and once a connection moves much. */
export const SMALL_BUFFER = 64 << 10;
export const LARGE_BUFFER = 256 << 10;

/** What a connection has to tell the guest, in the order in which it is told. */
export const Owed = {
  request: 1,
  response: 2,
  credit: 4,
  creditRequest: 8,
  shutdown: 16,
} as const;

/**
 * `opening`: the host side is being connected. `asking`: the guest has been asked. `open`. `lingering`: the host side is
 * gone, the guest has yet to agree; its port is not used again before. `closed`: in no table any more.
 */
export type ConnectionState = 'opening' | 'asking' | 'open' | 'lingering' | 'closed';

/** One connection between the guest and a stream socket of the host, which it owns. */
export class Connection {
  readonly guestPort: number;
  readonly hostPort: number;
  state: ConnectionState;
  /** The socket, non-blocking; -1 when there is none. */
  fd = -1;
  /** Of the poller; only with `fd`. */
  token = -1;
  /** Events of the socket that the poller tells. */
  events = 0;
  /** Told once how the guest answered: undefined, or why not. Only in `asking`. */
  onAnswer: ((failure: 'ECONNREFUSED' | 'ECONNRESET' | undefined) => void) | undefined;

  /** `Owed` bits; `isOwing` while it stands in the line of those who have something to tell. */
  owed = 0;
  isOwing = false;
  /** Bits of `Shutdown` that the guest shall know, and that it knows. */
  endings = 0;
  endingsTold = 0;
  /** Bits of `Shutdown` that the guest has sent. */
  guestEndings = 0;

  /** There may be something to read; then, and with credit, it stands in line for the rx ring. */
  isReadable = false;
  isInLine = false;
  /** The peer of the socket is gone: after what is left to read, nothing comes and nothing goes. */
  isHungUp = false;
  /** The end has come, and is to be read behind what is there. */
  hasEnd = false;
  /** How many rx buffers are offered to one read: as many as the last one could fill, and more. */
  appetite = 1;

  /** What the guest has sent, and what of it the socket has taken: modulo 2^32. */
  received = 0;
  forwarded = 0;
  forwardedTold = 0;
  bufferSize = SMALL_BUFFER;
  /** What the guest was sent; what it has taken and can hold, by its own word. */
  sent = 0;
  guestForwarded = 0;
  guestBufferSize = 0;
  hasAskedForCredit = false;

  /** What the socket would not take yet: `bufferSize` bytes, of which those from `#heldFrom` to `#heldTo` count. */
  #held: Buffer | undefined;
  #heldFrom = 0;
  #heldTo = 0;
  /** Nobody will read it: what the guest sends is dropped. */
  #discards = false;

  constructor(guestPort: number, hostPort: number, state: ConnectionState) {
    this.guestPort = guestPort;
    this.hostPort = hostPort;
    this.state = state;
  }

  /** How many bytes the guest still takes. */
  get credit(): number {
    const onTheWay = (this.sent - this.guestForwarded) >>> 0;
    return onTheWay < this.guestBufferSize ? this.guestBufferSize - onTheWay : 0;
  }

  /** How many bytes the guest may still send. */
  get room(): number {
    return this.bufferSize - ((this.received - this.forwarded) >>> 0);
  }

  get isHolding(): boolean {
    return this.#held !== undefined;
  }

  /**
   * Half of what the guest may have on its way was taken since it heard of that. Newer Linux has no more on its way than its own socket buffers,
   * whatever it is allowed, and asks for nothing.
   */
  get owesCredit(): boolean {
    const half = Math.min(this.bufferSize, this.guestBufferSize) >>> 1;
    return (this.forwarded - this.forwardedTold) >>> 0 >= Math.max(1, half);
  }

  /** Takes `bytes` that the guest sent, no more than there is `room`, from `count` ranges of its memory: to the socket, else aside. */
  take(memory: Uint8Array, ranges: Float64Array, count: number, bytes: number): void {
    this.received = (this.received + bytes) >>> 0;
    let sent = 0;
    if (this.#discards) sent = bytes;
    else if (!this.#held) sent = this.#taken(sendv(this.fd, memory, ranges, count, MSG_DONTWAIT), bytes);
    this.forwarded = (this.forwarded + sent) >>> 0;
    if (sent < bytes) this.#hold(memory, ranges, count, sent);
  }

  /** The socket may take more: hands it what was held. */
  flush(): void {
    if (!this.#held) return;
    const bytes = this.#heldTo - this.#heldFrom;
    const sent = this.#taken(send(this.fd, this.#held, this.#heldFrom, bytes, MSG_DONTWAIT), bytes);
    this.forwarded = (this.forwarded + sent) >>> 0;
    this.#heldFrom += sent;
    if (sent < bytes) return;
    this.#held = undefined;
    if ((this.guestEndings & Shutdown.send) !== 0) this.#endWriting();
  }

  #hold(memory: Uint8Array, ranges: Float64Array, count: number, skipped: number): void {
    if (!this.#held) {
      this.#held = Buffer.allocUnsafeSlow(this.bufferSize);
      this.#heldFrom = this.#heldTo = 0;
    }
    let skip = skipped;
    for (let index = 0; index < count; index++) {
      const start = ranges[2 * index] as number;
      const length = ranges[2 * index + 1] as number;
      if (skip < length) this.#append(this.#held, memory.subarray(start + skip, start + length));
      skip = Math.max(0, skip - length);
    }
  }

  #append(held: Buffer, bytes: Uint8Array): void {
    if (this.#heldTo + bytes.length > held.length) {
      held.copyWithin(0, this.#heldFrom, this.#heldTo);
      this.#heldTo -= this.#heldFrom;
      this.#heldFrom = 0;
    }
    held.set(bytes, this.#heldTo);
    this.#heldTo += bytes.length;
  }

  /** The guest has said what it will not do any more. */
  guestEnds(endings: number): void {
    const added = endings & ~this.guestEndings;
    this.guestEndings |= endings;
    if (this.fd < 0) return;
    if ((added & Shutdown.receive) !== 0) shutdown(this.fd, SHUT_RD);
    if ((added & Shutdown.send) !== 0 && !this.#held) this.#endWriting();
  }

  /** Reads into ranges of the guest's memory. @returns as recv(2): bytes, 0 at the end, or a negative errno */
  fill(memory: Uint8Array, ranges: Float64Array, count: number): number {
    return recvv(this.fd, memory, ranges, count, MSG_DONTWAIT);
  }

  /** Closes the socket, which the poller must not know any more. What is held is lost. */
  closeSocket(): void {
    if (this.fd >= 0) close(this.fd);
    this.fd = -1;
    this.token = -1;
    this.isReadable = false;
    this.#held = undefined;
    this.#discards = true;
  }

  #endWriting(): void {
    if (!this.#discards) shutdown(this.fd, SHUT_WR);
  }

  /** How many of `bytes` count as taken, by the result of a write. */
  #taken(result: number, bytes: number): number {
    if (result >= 0) return result;
    if (result === -Errno.EAGAIN) return 0;
    // The reader is gone: the guest hears it, and what it has sent meanwhile counts as taken.
    this.#discards = true;
    this.endings |= Shutdown.receive;
    return bytes;
  }
}
