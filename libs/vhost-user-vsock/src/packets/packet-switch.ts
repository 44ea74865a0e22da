import { constants } from '@vm-tools/linux';
import { RING_NAMES, RingError } from '../errors.ts';
import { Fifo } from '../fifo.ts';
import type { Poller } from '../poller.ts';
import type { GuestMemory } from '../virtio/guest-memory.ts';
import { ChainError, type Virtqueue } from '../virtio/virtqueue.ts';
import { type Connection, LARGE_BUFFER, Owed, SMALL_BUFFER } from './connection.ts';
import { ConnectionTable } from './connection-table.ts';
import { type Header, Operation, Shutdown, TYPE_STREAM } from './header.ts';
import { Receiver } from './receiver.ts';
import { Sender } from './sender.ts';

const { EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR } = constants;
/** After what there is to read comes the end. */
const ENDS = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

/** The CID that guests know the host by. */
const HOST_CID = 2;
/** Answers to packets of no connection that may wait for rx buffers; then the tx ring waits. */
const MAX_ANSWERS = 256;
/** What connections that move much may have beyond their first buffers, all together. */
const MAX_EXTRA_BUFFERS = 16 << 20;
/** Bytes of data after which the guest's memory is trimmed: its pages that have been touched since count as this process's. */
const TRIM_EVERY = 64 << 20;
/** Chains of the tx ring that are looked at in one go. */
const TX_BATCH = 64;

/** The host's side of connections that the guest begins. */
export interface HostSide {
  /**
   * Opens a socket for a connection of the guest.
   * @returns a non-blocking stream socket; a negative errno, and the guest is refused; or undefined: `opened` follows
   */
  open(connection: Connection): number | undefined;
}

export interface PacketSwitchOptions {
  readonly guestCid: number;
  readonly maxConnections: number;
  /**
   * How long the guest may wait to hear that its packets were taken, in milliseconds; 0: not at all. Each time it hears of it costs it an
   * interrupt and the run of a worker, and it has no use for it but to free the buffers.
   */
  readonly completionMs: number;
  readonly poller: Poller;
  readonly hostSide: HostSide;
  /** Interrupts the guest, or tells the VMM that a ring is broken. */
  readonly tellGuest: (ring: 0 | 1) => void;
  readonly onRingError: (error: RingError) => void;
}

/** An answer to a packet that belongs to no connection. */
export interface Answer {
  readonly guestPort: number;
  readonly hostPort: number;
  readonly hostCid: number;
  readonly type: number;
}

/** Moves packets between the two rings of a guest and the sockets of its connections. */
export class PacketSwitch {
  readonly connections = new ConnectionTable();
  readonly #options: PacketSwitchOptions;
  readonly #sender: Sender;
  readonly #receiver: Receiver;
  readonly #rings: [rx: Virtqueue | undefined, tx: Virtqueue | undefined] = [undefined, undefined];
  /** Resets for packets of no connection. */
  readonly #answers = new Fifo<Answer>();
  /** Those who have something to tell the guest. */
  readonly #owing = new Fifo<Connection>();
  /** Those who have data for the guest, and credit. */
  readonly #line = new Fifo<Connection>();
  #extraBuffers = 0;
  #memory: GuestMemory | undefined;
  #trimmedAt = 0;
  #completion: NodeJS.Timeout | undefined;

  constructor(options: PacketSwitchOptions) {
    this.#options = options;
    this.#sender = new Sender(options.guestCid);
    this.#receiver = new Receiver();
  }

  /** A ring begins, or goes on elsewhere in memory. */
  start(ring: 0 | 1, queue: Virtqueue, memory: GuestMemory): void {
    this.#rings[ring] = queue;
    this.#memory = memory;
    (ring === 0 ? this.#sender : this.#receiver).use(queue, memory);
  }

  /** A ring must not be touched any more. The guest sees what was given back until now. */
  stop(ring: 0 | 1): void {
    const queue = this.#rings[ring];
    this.#rings[ring] = undefined;
    if (queue?.publish()) this.#options.tellGuest(ring);
  }

  /** Whether both rings are there: only then can anyone be reached. */
  get isUp(): boolean {
    return this.#rings[0] !== undefined && this.#rings[1] !== undefined;
  }

  /** Asks the guest for a connection of a socket, which is the switch's from now on. */
  dial(guestPort: number, socket: number, onAnswer: Connection['onAnswer']): Connection {
    const connection = this.connections.add(guestPort, this.connections.freeHostPort(), 'asking');
    connection.onAnswer = onAnswer;
    this.#give(connection, socket);
    this.#owe(connection, Owed.request);
    return connection;
  }

  get isFull(): boolean {
    return this.connections.size >= this.#options.maxConnections;
  }

  /** What `HostSide.open` has left open: a socket, or a negative errno. */
  opened(connection: Connection, socket: number): void {
    if (socket < 0) {
      this.reset(connection);
      return;
    }
    this.#give(connection, socket);
    connection.state = 'open';
    this.#owe(connection, Owed.response);
  }

  #give(connection: Connection, socket: number): void {
    connection.fd = socket;
    connection.events = EPOLLIN | EPOLLRDHUP;
    connection.token = this.#options.poller.add(socket, connection.events, {
      onReady: (events) => this.#onSocket(connection, events),
    });
  }

  /** To be woken for what nobody waits for costs more than to say so: each write of a fast sender would. */
  #listenFor(connection: Connection, event: number, wanted: boolean): void {
    const events = wanted ? connection.events | event : connection.events & ~event;
    if (events === connection.events || connection.fd < 0) return;
    connection.events = events;
    this.#options.poller.change(connection.fd, connection.token, events);
  }

  /** Ends a connection without further ado; the guest is told. */
  reset(connection: Connection): void {
    this.#answer(connection.guestPort, connection.hostPort, HOST_CID, TYPE_STREAM);
    this.#drop(connection);
  }

  /** Ends all connections on the host's side: the guest does not know of any, or cannot be told. */
  forget(): void {
    for (const connection of [...this.connections]) this.#drop(connection);
    this.#answers.clear();
    this.#owing.clear();
    this.#line.clear();
  }

  /** Works off what there is to do. @returns whether there is more, and it stopped only to let others have their turn */
  work(): boolean {
    const moreFromGuest = this.#guarded(1, this.#takeFromGuest);
    const moreToGuest = this.#guarded(0, this.#giveToGuest);
    const moved = this.#receiver.moved + this.#sender.moved;
    if (moved - this.#trimmedAt >= TRIM_EVERY && this.isUp) {
      this.#memory?.trim();
      this.#trimmedAt = moved;
    }
    // Without room for answers, nothing more can be taken before the guest has received some.
    return moreToGuest || (moreFromGuest && this.#answers.length < MAX_ANSWERS);
  }

  #guarded(ring: 0 | 1, body: (this: this, queue: Virtqueue) => boolean): boolean {
    const queue = this.#rings[ring];
    if (!queue) return false;
    try {
      const more = body.call(this, queue);
      if (ring === 1 && queue.unpublished < queue.size / 4 && this.#completesLater(queue)) return more;
      if (queue.publish()) this.#options.tellGuest(ring);
      return more;
    } catch (error) {
      if (!(error instanceof ChainError)) throw error;
      this.#rings[ring] = undefined;
      this.forget();
      this.#options.onRingError(new RingError(RING_NAMES[ring], error.message));
      return false;
    }
  }

  /** Whether the guest hears in a while that its packets were taken: so far they are few. */
  #completesLater(tx: Virtqueue): boolean {
    const { completionMs } = this.#options;
    if (completionMs === 0) return false;
    if (tx.unpublished > 0) this.#completion ??= setTimeout(() => this.#complete(), completionMs);
    return true;
  }

  #complete(): void {
    this.#completion = undefined;
    if (this.#rings[1]?.publish()) this.#options.tellGuest(1);
  }

  #takeFromGuest(tx: Virtqueue): boolean {
    const receiver = this.#receiver;
    tx.wake();
    for (let count = 0; count < TX_BATCH; count++) {
      // Who sends what must be answered and takes no answers has to wait.
      if (this.#answers.length >= MAX_ANSWERS) break;
      if (!receiver.take()) {
        this.#deliver();
        if (tx.sleep()) return false;
        tx.wake();
      } else if (!this.#joins(receiver.header)) {
        // What came before it comes first.
        this.#deliver();
        this.#packet(receiver.header);
        receiver.giveBack();
      }
    }
    this.#deliver();
    return true;
  }

  /** Whether the packet is data for the connection that the batch is for, or for any when there is none, and has joined it. */
  #joins(header: Header): boolean {
    const receiver = this.#receiver;
    if (header.operation !== Operation.data || !this.#isOurs(header)) return false;
    const connection = this.connections.find(header.sourcePort, header.destinationPort);
    if (connection?.state !== 'open' || (connection.guestEndings & Shutdown.send) !== 0) return false;
    if (header.length > connection.room - receiver.batchedFor(connection)) return false;
    this.#heard(connection, header);
    if (!receiver.fits(connection)) this.#deliver();
    receiver.join(connection);
    return true;
  }

  #deliver(): void {
    const connection = this.#receiver.deliver();
    if (connection) this.#afterWrite(connection);
  }

  /** Something was written to the socket, or could not be. */
  #afterWrite(connection: Connection): void {
    this.#listenFor(connection, EPOLLOUT, connection.isHolding);
    if (
      connection.bufferSize === SMALL_BUFFER &&
      !connection.isHolding &&
      connection.forwarded >= SMALL_BUFFER &&
      this.#extraBuffers + LARGE_BUFFER - SMALL_BUFFER <= MAX_EXTRA_BUFFERS
    ) {
      connection.bufferSize = LARGE_BUFFER;
      this.#extraBuffers += LARGE_BUFFER - SMALL_BUFFER;
      // It has to know, or it would stop at the half of what it knows.
      this.#owe(connection, Owed.credit);
    }
    if (connection.owesCredit) this.#owe(connection, Owed.credit);
    if (connection.endings !== connection.endingsTold) this.#owe(connection, Owed.shutdown);
    this.#mayBeOver(connection);
  }

  #isOurs(header: Header): boolean {
    return (
      header.sourceCid === this.#options.guestCid &&
      header.destinationCid === HOST_CID &&
      header.type === TYPE_STREAM
    );
  }

  /** What the guest says of its buffer with every packet. */
  #heard(connection: Connection, header: Header): void {
    connection.guestBufferSize = header.bufferSize;
    connection.guestForwarded = header.forwarded;
    if (connection.isReadable && !connection.isInLine) this.#lineUp(connection);
  }

  #packet(header: Header): void {
    // A CID that is not the guest's own is a forgery, and an answer to it would go to the guest.
    if (header.sourceCid !== this.#options.guestCid) return;
    const { sourcePort, destinationPort, destinationCid, type } = header;
    const connection = this.#isOurs(header) ? this.connections.find(sourcePort, destinationPort) : undefined;
    if (connection) {
      this.#heard(connection, header);
      this.#packetOf(connection, header);
    } else if (header.operation === Operation.request && this.#isOurs(header)) {
      this.#request(header);
    } else if (header.operation !== Operation.reset) {
      this.#answer(sourcePort, destinationPort, destinationCid, type);
    }
  }

  #request(header: Header): void {
    const { sourcePort, destinationPort } = header;
    if (this.isFull) {
      this.#answer(sourcePort, destinationPort, HOST_CID, TYPE_STREAM);
      return;
    }
    const connection = this.connections.add(sourcePort, destinationPort, 'opening');
    this.#heard(connection, header);
    const socket = this.#options.hostSide.open(connection);
    if (socket !== undefined) this.opened(connection, socket);
  }

  #packetOf(connection: Connection, { operation, flags }: Header): void {
    const { state } = connection;
    if (operation === Operation.reset) {
      this.#drop(connection, 'ECONNREFUSED');
    } else if (operation === Operation.response && state === 'asking') {
      connection.state = 'open';
      const { onAnswer } = connection;
      connection.onAnswer = undefined;
      onAnswer?.(undefined);
      if (connection.isReadable) this.#lineUp(connection);
    } else if (operation === Operation.shutdown && (state === 'open' || state === 'lingering')) {
      this.#guestEnds(connection, flags & Shutdown.both);
    } else if (operation === Operation.creditRequest && (state === 'open' || state === 'lingering')) {
      this.#owe(connection, Owed.credit);
    } else if (operation === Operation.creditUpdate && state !== 'asking') {
      // `#heard` has it.
    } else if (operation === Operation.data && state === 'lingering') {
      // It was sent before the guest heard that nobody reads it.
    } else {
      // Data without credit or after its end, a second request, what is no operation.
      this.reset(connection);
    }
  }

  #guestEnds(connection: Connection, endings: number): void {
    connection.guestEnds(endings);
    this.#mayBeOver(connection);
  }

  /** Ends the connection when both sides have, or the guest has for good and all it sent is delivered. */
  #mayBeOver(connection: Connection): void {
    const { state, guestEndings, endings } = connection;
    if ((state !== 'open' && state !== 'lingering') || connection.isHolding) return;
    if (guestEndings === Shutdown.both) this.reset(connection);
    else if (state === 'open' && (endings & Shutdown.send) !== 0) {
      if ((endings & Shutdown.receive) !== 0 || (guestEndings & Shutdown.send) !== 0)
        this.#linger(connection);
    }
  }

  /** The host's side is over; the guest is told, and its port stays taken until it agrees. */
  #linger(connection: Connection): void {
    this.#closeSocket(connection);
    connection.state = 'lingering';
    connection.endings = Shutdown.both;
    if (connection.endingsTold !== Shutdown.both) this.#owe(connection, Owed.shutdown);
  }

  #drop(connection: Connection, why: 'ECONNREFUSED' | 'ECONNRESET' = 'ECONNRESET'): void {
    const { onAnswer } = connection;
    connection.onAnswer = undefined;
    this.#closeSocket(connection);
    connection.state = 'closed';
    this.connections.remove(connection);
    if (connection.bufferSize === LARGE_BUFFER) this.#extraBuffers -= LARGE_BUFFER - SMALL_BUFFER;
    onAnswer?.(why);
  }

  #closeSocket(connection: Connection): void {
    if (connection.fd >= 0) this.#options.poller.remove(connection.fd, connection.token);
    connection.closeSocket();
  }

  #onSocket(connection: Connection, events: number): void {
    if (connection.fd < 0) return;
    if ((events & (EPOLLHUP | EPOLLERR)) !== 0) connection.isHungUp = true;
    if ((events & ENDS) !== 0) connection.hasEnd = true;
    if (connection.isHungUp && connection.state === 'asking') {
      this.reset(connection);
      return;
    }
    if ((events & EPOLLOUT) !== 0 && connection.isHolding) {
      connection.flush();
      this.#afterWrite(connection);
    }
    if (connection.fd < 0 || (events & ~EPOLLOUT) === 0) return;
    if (connection.isHungUp && (connection.endings & Shutdown.send) !== 0) this.#hostEnds(connection);
    else {
      connection.isReadable = true;
      this.#lineUp(connection);
    }
  }

  #lineUp(connection: Connection): void {
    if (connection.isInLine || connection.state !== 'open') return;
    connection.isInLine = true;
    this.#line.push(connection);
  }

  #owe(connection: Connection, what: number): void {
    connection.owed |= what;
    if (connection.isOwing) return;
    connection.isOwing = true;
    this.#owing.push(connection);
  }

  #answer(guestPort: number, hostPort: number, hostCid: number, type: number): void {
    this.#answers.push({ guestPort, hostPort, hostCid, type });
  }

  /** Sends what is to be sent, until there is no more of it or no more buffer of the guest's. */
  #giveToGuest(rx: Virtqueue): boolean {
    rx.wake();
    for (let budget = TX_BATCH; budget > 0; budget--) {
      if (!this.#giveOne()) {
        const isIdle = this.#answers.length === 0 && this.#owing.length === 0 && this.#line.length === 0;
        if (isIdle || rx.sleep()) return false;
        rx.wake();
      }
    }
    return true;
  }

  /** @returns false when there is nothing to give, or nothing to give it in */
  #giveOne(): boolean {
    const answer = this.#answers.peek();
    if (answer) {
      if (!this.#sender.answer(answer)) return false;
      this.#answers.shift();
      return true;
    }
    const owing = this.#owing.peek();
    if (owing) {
      const isDone = owing.owed === 0 || owing.state === 'closed';
      if (!isDone) return this.#sender.tell(owing);
      owing.isOwing = false;
      this.#owing.shift();
      return true;
    }
    const reader = this.#line.peek();
    if (!reader) return false;
    if (reader.state === 'open' && reader.isReadable) return this.#giveData(reader);
    this.#leaveLine();
    return true;
  }

  #leaveLine(): void {
    const connection = this.#line.shift();
    if (connection) connection.isInLine = false;
  }

  #giveData(connection: Connection): boolean {
    if ((connection.guestEndings & Shutdown.receive) !== 0) {
      this.#leaveLine();
      connection.isReadable = false;
      if (connection.isHungUp) this.#hostEnds(connection);
      return true;
    }
    if (connection.credit === 0) {
      // Its next packet brings it back.
      this.#leaveLine();
      this.#listenFor(connection, EPOLLIN, false);
      if (!connection.hasAskedForCredit) this.#owe(connection, Owed.creditRequest);
      connection.hasAskedForCredit = true;
      return true;
    }
    connection.hasAskedForCredit = false;
    const outcome = this.#sender.sendData(connection);
    if (outcome === 'no buffers') return false;
    this.#leaveLine();
    if (outcome === 'more') this.#lineUp(connection);
    else if (outcome === 'drained') this.#listenFor(connection, EPOLLIN, true);
    else if (outcome === 'end') this.#hostEnds(connection);
    else if (outcome === 'error') this.reset(connection);
    return true;
  }

  #hostEnds(connection: Connection): void {
    connection.isReadable = false;
    connection.endings |= connection.isHungUp ? Shutdown.both : Shutdown.send;
    if (connection.endings !== connection.endingsTold) this.#owe(connection, Owed.shutdown);
    this.#mayBeOver(connection);
  }
}
