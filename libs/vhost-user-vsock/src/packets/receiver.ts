import type { GuestMemory } from '../virtio/guest-memory.ts';
import { Chain, ChainError, LONGEST_CHAIN, type Virtqueue } from '../virtio/virtqueue.ts';
import type { Connection } from './connection.ts';
import { HEADER_BYTES, Header } from './header.ts';

/** Data of one connection that is written in one go. */
const BATCH_BYTES = 512 << 10;
const BATCH_PACKETS = 64;

/** The tx ring as packets: from the guest to the host. Data of one connection in a row is collected and written at once. */
export class Receiver {
  /** Of the packet taken last. */
  readonly header = new Header();
  readonly #chain = new Chain();
  /** For a header that lies in pieces. */
  readonly #gathered = new DataView(new ArrayBuffer(HEADER_BYTES));
  #queue!: Virtqueue;
  #memory!: GuestMemory;
  /** Where the data of the packet begin: piece of the chain, and byte of the piece. */
  #piece = 0;
  #offset = 0;

  /** Bytes of data that have been taken. */
  moved = 0;
  #connection: Connection | undefined;
  readonly #ranges = new Float64Array(2 * LONGEST_CHAIN);
  #rangeCount = 0;
  #bytes = 0;
  readonly #heads = new Uint16Array(BATCH_PACKETS);
  #packets = 0;

  /** The ring to take from; the batch must be empty. */
  use(queue: Virtqueue, memory: GuestMemory): void {
    this.#queue = queue;
    this.#memory = memory;
    this.#connection = undefined;
    this.#rangeCount = this.#bytes = this.#packets = 0;
  }

  /** Takes the next packet, whose header is read. @throws {ChainError} */
  take(): boolean {
    const chain = this.#chain;
    if (!this.#queue.take(chain)) return false;
    if (chain.writable > 0) throw new ChainError('a packet to send has a buffer to write to');
    if (chain.readableBytes < HEADER_BYTES)
      throw new ChainError(`a packet has ${chain.readableBytes} bytes, its header alone has ${HEADER_BYTES}`);
    this.#readHeader(chain);
    const bytes = chain.readableBytes - HEADER_BYTES;
    if (this.header.length > bytes)
      throw new ChainError(`a packet says that it has ${this.header.length} bytes, and has ${bytes}`);
    return true;
  }

  /** Gives back the packet taken last. */
  giveBack(): void {
    this.#queue.giveBack(this.#chain.head, 0);
  }

  /** How much data of a connection is in the batch. */
  batchedFor(connection: Connection): number {
    return this.#connection === connection ? this.#bytes : 0;
  }

  /** Whether the packet taken last, for that connection, can join the batch. */
  fits(connection: Connection): boolean {
    if (this.#packets === 0) return true;
    return (
      this.#connection === connection &&
      this.#packets < BATCH_PACKETS &&
      this.#rangeCount + this.#chain.readable <= LONGEST_CHAIN &&
      this.#bytes + this.header.length <= BATCH_BYTES
    );
  }

  /** Adds the packet taken last to the batch; it is given back with it. */
  join(connection: Connection): void {
    const { ranges, readable, head } = this.#chain;
    this.#connection = connection;
    let left = this.header.length;
    let offset = this.#offset;
    for (let piece = this.#piece; piece < readable && left > 0; piece++) {
      const length = Math.min(left, (ranges[2 * piece + 1] as number) - offset);
      this.#ranges[2 * this.#rangeCount] = (ranges[2 * piece] as number) + offset;
      this.#ranges[2 * this.#rangeCount + 1] = length;
      this.#rangeCount++;
      left -= length;
      offset = 0;
    }
    this.#bytes += this.header.length;
    this.#heads[this.#packets++] = head;
  }

  /** Writes the batch to its connection's socket and gives its packets back. @returns the connection, if there was one */
  deliver(): Connection | undefined {
    const connection = this.#connection;
    if (!connection) return undefined;
    this.#connection = undefined;
    if (this.#bytes > 0) connection.take(this.#memory.bytes, this.#ranges, this.#rangeCount, this.#bytes);
    this.moved += this.#bytes;
    for (let index = 0; index < this.#packets; index++) this.#queue.giveBack(this.#heads[index] as number, 0);
    this.#rangeCount = this.#bytes = this.#packets = 0;
    return connection;
  }

  #readHeader({ ranges, readable }: Chain): void {
    if ((ranges[1] as number) >= HEADER_BYTES) {
      this.header.read(this.#memory.view, ranges[0] as number);
      const isAll = ranges[1] === HEADER_BYTES;
      this.#piece = isAll ? 1 : 0;
      this.#offset = isAll ? 0 : HEADER_BYTES;
      return;
    }
    let gathered = 0;
    for (let piece = 0; piece < readable && gathered < HEADER_BYTES; piece++) {
      const [start, length] = [ranges[2 * piece] as number, ranges[2 * piece + 1] as number];
      const count = Math.min(length, HEADER_BYTES - gathered);
      for (let byte = 0; byte < count; byte++)
        this.#gathered.setUint8(gathered + byte, this.#memory.view.getUint8(start + byte));
      gathered += count;
      this.#piece = count === length ? piece + 1 : piece;
      this.#offset = count === length ? 0 : count;
    }
    this.header.read(this.#gathered, 0);
  }
}
