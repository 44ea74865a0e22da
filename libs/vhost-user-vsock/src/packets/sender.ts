import { Errno } from '@vm-tools/linux';
import type { GuestMemory } from '../virtio/guest-memory.ts';
import { Chain, ChainError, LONGEST_CHAIN, type Virtqueue } from '../virtio/virtqueue.ts';
import { type Connection, Owed } from './connection.ts';
import { HEADER_BYTES, Header, Operation, TYPE_STREAM } from './header.ts';
import type { Answer } from './packet-switch.ts';

/** Buffers that one read may fill; Linux gives them 4 KiB each. */
const MOST_BUFFERS = 64;
/** The longest packet (VIRTIO_VSOCK_MAX_PKT_BUF_SIZE of Linux). */
const LONGEST_DATA = 64 << 10;
const HOST_CID = 2;

/** What came of an attempt to send data: all that there was, and more to come; the end; an error of the socket. */
export type Outcome = 'no buffers' | 'drained' | 'more' | 'end' | 'error';

/** The rx ring as packets: from the host to the guest. */
export class Sender {
  /** Bytes of data that have been sent. */
  moved = 0;
  readonly #header = new Header();
  readonly #chain = new Chain();
  #queue!: Virtqueue;
  #memory!: GuestMemory;
  /** Of the buffers of one read: names, where their headers go (-1: in pieces), how much data they hold. */
  readonly #heads = new Uint16Array(MOST_BUFFERS);
  readonly #headerAt = new Float64Array(MOST_BUFFERS);
  readonly #rooms = new Uint32Array(MOST_BUFFERS);
  readonly #ranges = new Float64Array(2 * LONGEST_CHAIN);
  #rangeCount = 0;
  /** How much data the buffers of one read hold. */
  #space = 0;
  /** For a header that goes in pieces. */
  readonly #scattered = new DataView(new ArrayBuffer(HEADER_BYTES));

  constructor(guestCid: number) {
    this.#header.sourceCid = HOST_CID;
    this.#header.destinationCid = guestCid;
  }

  /** The ring to send by. */
  use(queue: Virtqueue, memory: GuestMemory): void {
    this.#queue = queue;
    this.#memory = memory;
  }

  /** Resets what is no connection. @returns false when the guest has no buffer for it @throws {ChainError} */
  answer({ guestPort, hostPort, hostCid, type }: Answer): boolean {
    if (!this.#takeBuffer()) return false;
    const header = this.#header;
    header.sourceCid = hostCid;
    header.sourcePort = hostPort;
    header.destinationPort = guestPort;
    header.type = type;
    header.bufferSize = header.forwarded = 0;
    this.#control(Operation.reset, 0);
    header.sourceCid = HOST_CID;
    return true;
  }

  /** Tells one of the things that a connection owes. @returns false when the guest has no buffer for it @throws {ChainError} */
  tell(connection: Connection): boolean {
    if (!this.#takeBuffer()) return false;
    const what = connection.owed & -connection.owed;
    connection.owed &= ~what;
    this.#address(connection);
    if (what === Owed.shutdown) {
      connection.endingsTold = connection.endings;
      this.#control(Operation.shutdown, connection.endings);
    } else if (what === Owed.request) this.#control(Operation.request, 0);
    else if (what === Owed.response) this.#control(Operation.response, 0);
    else if (what === Owed.creditRequest) this.#control(Operation.creditRequest, 0);
    else this.#control(Operation.creditUpdate, 0);
    return true;
  }

  /** Reads from a connection's socket straight into the guest's buffers. @throws {ChainError} */
  sendData(connection: Connection): Outcome {
    const count = this.#takeBuffers(connection);
    if (count === 0) return 'no buffers';
    const got = connection.fill(this.#memory.bytes, this.#ranges, this.#rangeCount);
    let used = 0;
    for (let left = got; left > 0; used++) {
      const bytes = Math.min(left, this.#rooms[used] as number);
      this.#data(connection, used, bytes);
      left -= bytes;
    }
    this.#queue.putBack(count - used);
    if (got <= 0) {
      if (got === -Errno.EAGAIN) connection.isReadable = false;
      return got === 0 ? 'end' : got === -Errno.EAGAIN ? 'drained' : 'error';
    }
    connection.sent = (connection.sent + got) >>> 0;
    this.moved += got;
    const isFull = used === count && got === this.#space;
    connection.appetite = isFull ? Math.min(4 * connection.appetite, MOST_BUFFERS) : used;
    // A read that gives less than it could has emptied the socket; what comes later is told by the poller.
    if (isFull || connection.hasEnd) return 'more';
    connection.isReadable = false;
    return 'drained';
  }

  /** Takes buffers for as much as the connection may and can send. */
  #takeBuffers(connection: Connection): number {
    const { credit } = connection;
    const chain = this.#chain;
    this.#rangeCount = this.#space = 0;
    let count = 0;
    while (count < connection.appetite && this.#space < credit && this.#takeBuffer()) {
      const inOnePiece = (chain.ranges[1] as number) >= HEADER_BYTES;
      const room = Math.min(chain.writableBytes - HEADER_BYTES, credit - this.#space, LONGEST_DATA);
      if (room === 0) throw new ChainError('a buffer to receive in has no room for data');
      // A header in pieces needs the chain as it is now; so does a list of pieces that is full.
      if (count > 0 && (!inOnePiece || this.#rangeCount + chain.writable > LONGEST_CHAIN)) {
        this.#queue.putBack(1);
        break;
      }
      this.#heads[count] = chain.head;
      this.#headerAt[count] = inOnePiece ? (chain.ranges[0] as number) : -1;
      this.#rooms[count] = room;
      this.#addRanges(room);
      this.#space += room;
      count++;
      if (!inOnePiece) break;
    }
    return count;
  }

  /** The pieces of the chain behind the header, as far as `room` goes. */
  #addRanges(room: number): void {
    const { ranges, writable } = this.#chain;
    let skip = HEADER_BYTES;
    let left = room;
    for (let piece = 0; piece < writable && left > 0; piece++) {
      const [start, length] = [ranges[2 * piece] as number, ranges[2 * piece + 1] as number];
      if (skip >= length) {
        skip -= length;
        continue;
      }
      const bytes = Math.min(left, length - skip);
      this.#ranges[2 * this.#rangeCount] = start + skip;
      this.#ranges[2 * this.#rangeCount + 1] = bytes;
      this.#rangeCount++;
      left -= bytes;
      skip = 0;
    }
  }

  #data(connection: Connection, index: number, bytes: number): void {
    this.#address(connection);
    this.#header.operation = Operation.data;
    this.#header.flags = 0;
    this.#header.length = bytes;
    this.#writeHeader(this.#headerAt[index] as number);
    this.#queue.giveBack(this.#heads[index] as number, HEADER_BYTES + bytes);
  }

  /** Sends the header alone, in the chain taken last. */
  #control(operation: number, flags: number): void {
    this.#header.operation = operation;
    this.#header.flags = flags;
    this.#header.length = 0;
    const { ranges, head } = this.#chain;
    this.#writeHeader((ranges[1] as number) >= HEADER_BYTES ? (ranges[0] as number) : -1);
    this.#queue.giveBack(head, HEADER_BYTES);
  }

  #address(connection: Connection): void {
    const header = this.#header;
    header.type = TYPE_STREAM;
    header.sourcePort = connection.hostPort;
    header.destinationPort = connection.guestPort;
    header.bufferSize = connection.bufferSize;
    header.forwarded = connection.forwardedTold = connection.forwarded;
    connection.owed &= ~Owed.credit;
  }

  #takeBuffer(): boolean {
    const chain = this.#chain;
    if (!this.#queue.take(chain)) return false;
    if (chain.readable > 0) throw new ChainError('a buffer to receive in is not to be written to');
    if (chain.writableBytes < HEADER_BYTES)
      throw new ChainError(
        `a buffer to receive in has ${chain.writableBytes} bytes, a header has ${HEADER_BYTES}`,
      );
    return true;
  }

  #writeHeader(at: number): void {
    if (at >= 0) {
      this.#header.write(this.#memory.view, at);
      return;
    }
    this.#header.write(this.#scattered, 0);
    const { ranges } = this.#chain;
    let done = 0;
    for (let piece = 0; done < HEADER_BYTES; piece++) {
      const [start, length] = [ranges[2 * piece] as number, ranges[2 * piece + 1] as number];
      const count = Math.min(length, HEADER_BYTES - done);
      for (let byte = 0; byte < count; byte++)
        this.#memory.view.setUint8(start + byte, this.#scattered.getUint8(done + byte));
      done += count;
    }
  }
}
