import * as linux from '@vm-tools/linux';
import type { ReaderEvents } from './datagram-reader.ts';
import { Framing } from './framing.ts';
import type { Intake } from './intake.ts';

const { Errno, MESSAGE_WORDS, Message } = linux;
const { MSG_DONTWAIT, SHUT_RD } = linux.constants;
const CHUNK = 65_536;
/** Chunks after which it is others' turn. */
const TURN = 8;

/** For all connections: what is left of it when a reader returns has been copied. */
const chunk = Buffer.allocUnsafeSlow(CHUNK);
const info = new Int32Array(MESSAGE_WORDS);
const NOTHING = Buffer.alloc(0);

export interface ConnectionEvents extends ReaderEvents {
  /** The connection has ended, and all of it was offered. */
  onEnd(reader: StreamReader): void;
}

/** Receives the messages of one connection, and offers each. */
export class StreamReader {
  readonly #intake: Intake;
  readonly #events: ConnectionEvents;
  readonly #watch: linux.Watch;
  readonly #fd: number;
  readonly #framing: Framing;
  /** Bytes that were received and not yet offered, from `#start` to before `#end`. */
  #held: Buffer = NOTHING;
  readonly #mostHeld: number;
  #start = 0;
  #end = 0;
  #pid = -1;
  #uid = -1;
  #gid = -1;
  /** What is held begins with a message that the sink had no room for. */
  #isRefused = false;
  #hasEnded = false;
  #isWaiting = false;
  #isClosing = false;

  /** @param fd the reader's from now on, of a socket that was asked for senders */
  constructor(fd: number, intake: Intake, events: ConnectionEvents) {
    this.#intake = intake;
    this.#events = events;
    this.#framing = new Framing(intake.maxMessageBytes);
    this.#mostHeld = intake.maxMessageBytes + 16 + CHUNK;
    this.#watch = linux.watch(fd, { readable: true }, () => this.#read());
    linux.close(fd);
    this.#fd = this.#watch.fd;
  }

  #read(): void {
    if (this.#isWaiting || this.#isClosing) return;
    for (let turn = 0; turn < TURN; turn++) {
      const count = this.#receive();
      if (count < 0) return;
      const isTaken = count > 0 ? this.#take(count) : this.#deliverRest();
      if (!isTaken) {
        void this.#wait();
        return;
      }
      if (count < CHUNK) break;
    }
    if (this.#hasEnded) this.#release();
  }

  /** @returns bytes that are in `chunk`, 0: the end, -1: nothing now */
  #receive(): number {
    const count = linux.recvmmsg(this.#fd, chunk, CHUNK, 1, MSG_DONTWAIT, info);
    if (count === -Errno.EAGAIN) return -1;
    const length = count < 0 ? 0 : (info[Message.length] as number);
    // A connection that breaks has ended.
    if (length === 0) this.#hasEnded = true;
    else this.#identify();
    return length;
  }

  #identify(): void {
    this.#pid = info[Message.pid] as number;
    this.#uid = info[Message.uid] as number;
    this.#gid = info[Message.gid] as number;
  }

  /** Offers the messages in what has come. @returns false: the sink is full, and what it has not taken is held */
  #take(count: number): boolean {
    if (this.#start === this.#end) {
      // Most often nothing is held, and the messages lie whole in the chunk.
      const at = this.#deliver(chunk, 0, count);
      this.#hold(at, count);
      return !this.#isRefused;
    }
    this.#hold(0, count);
    return this.#deliverHeld();
  }

  #deliverHeld(): boolean {
    this.#start = this.#deliver(this.#held, this.#start, this.#end);
    if (this.#start === this.#end) {
      this.#start = this.#end = 0;
      this.#held = NOTHING;
    }
    return !this.#isRefused;
  }

  /** Copies a part of the chunk behind what is held. */
  #hold(from: number, to: number): void {
    if (from === to) return;
    const length = this.#end - this.#start;
    const needed = length + to - from;
    if (this.#start + needed > this.#held.length) {
      const room =
        needed <= this.#held.length
          ? this.#held
          : Buffer.allocUnsafeSlow(Math.max(needed, Math.min(2 * needed, this.#mostHeld)));
      this.#held.copy(room, 0, this.#start, this.#end);
      this.#held = room;
      this.#start = 0;
    }
    chunk.copy(this.#held, this.#start + length, from, to);
    this.#end = this.#start + needed;
  }

  /** @returns up to where it was taken; `isRefused`: the rest begins with a message that the sink had no room for */
  #deliver(bytes: Buffer, from: number, to: number): number {
    const framing = this.#framing;
    let at = from;
    this.#intake.tick();
    while (this.#isRefused || framing.find(bytes, at, to)) {
      // A message that was refused is found already, perhaps elsewhere.
      const start = this.#isRefused ? at : framing.start;
      const moved = start - framing.start;
      this.#isRefused = !this.#offer(bytes, start, framing.end + moved, framing.isCut);
      if (this.#isRefused) return start;
      at = framing.next + moved;
    }
    return framing.next;
  }

  #offer(bytes: Buffer, start: number, end: number, isCut: boolean): boolean {
    return this.#intake.offer(bytes, start, end, isCut, this.#pid, this.#uid, this.#gid);
  }

  async #wait(): Promise<void> {
    this.#isWaiting = true;
    this.#watch.update({});
    this.#events.onFull();
    do await this.#intake.ready();
    while (!this.#isClosing && !this.#deliverRest());
    this.#isWaiting = false;
    if (this.#isClosing) return;
    this.#events.onRoom();
    if (this.#hasEnded) this.#release();
    else this.#watch.update({ readable: true });
  }

  /** What is held; at the end of the connection what has no terminator is a message all the same. */
  #deliverRest(): boolean {
    if (!this.#deliverHeld()) return false;
    if (!this.#hasEnded || this.#start === this.#end) return true;
    if (!this.#offer(this.#held, this.#start, this.#end, false)) return false;
    this.#start = this.#end;
    return true;
  }

  /** Offers what has come so far, then ends the connection. */
  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    linux.shutdown(this.#fd, SHUT_RD);
    while (!this.#deliverAll()) await this.#intake.ready();
    this.#release();
  }

  #deliverAll(): boolean {
    if (!this.#deliverRest()) return false;
    while (!this.#hasEnded) {
      const count = this.#receive();
      if (count < 0) this.#hasEnded = true;
      else if (count > 0 && !this.#take(count)) return false;
    }
    return this.#deliverRest();
  }

  #release(): void {
    this.#watch.close();
    this.#events.onEnd(this);
  }
}
