import * as linux from '@vm-tools/linux';
import type { Intake } from './intake.ts';

const { Errno, MESSAGE_WORDS, Message } = linux;
const { MSG_DONTWAIT, MSG_TRUNC, SHUT_RD } = linux.constants;
/** Messages that are received at once. */
const BATCH = 64;
/** Batches after which it is others' turn. */
const TURN = 16;
/** The kernel is short of memory. */
const RETRY_MS = 100;
/** Slots at distances of a power of two would share few lines of the processor's cache. */
const SLOT_SPACE = 64;

export interface ReaderEvents {
  /** The sink is full: it is waited for. */
  onFull(): void;
  /** It no longer is. */
  onRoom(): void;
  onError(error: Error): void;
}

/** Receives the messages of a datagram socket in batches, and offers each. */
export class DatagramReader {
  readonly #intake: Intake;
  readonly #events: ReaderEvents;
  readonly #watch: linux.Watch;
  readonly #fd: number;
  readonly #slot: number;
  readonly #buffer: Buffer;
  readonly #info = new Int32Array(BATCH * MESSAGE_WORDS);
  /** What has been received and not yet taken: messages `#next` to before `#count`. */
  #next = 0;
  #count = 0;
  #isWaiting = false;
  #retry: NodeJS.Timeout | undefined;
  #isClosing = false;

  /** @param fd kept; the reader's from now on */
  constructor(fd: number, intake: Intake, events: ReaderEvents) {
    this.#intake = intake;
    this.#events = events;
    this.#slot = intake.maxMessageBytes + SLOT_SPACE;
    this.#buffer = Buffer.allocUnsafeSlow(BATCH * this.#slot);
    this.#watch = linux.watch(fd, { readable: true }, () => this.#read());
    linux.close(fd);
    this.#fd = this.#watch.fd;
  }

  #read(): void {
    if (this.#isWaiting || this.#isClosing) return;
    for (let turn = 0; turn < TURN; turn++) {
      if (!this.#receive()) return;
      if (!this.#deliver()) {
        void this.#wait();
        return;
      }
    }
  }

  /** @returns false: there is nothing */
  #receive(): boolean {
    const count = linux.recvmmsg(
      this.#fd,
      this.#buffer,
      this.#slot,
      BATCH,
      MSG_DONTWAIT | MSG_TRUNC,
      this.#info,
    );
    this.#next = 0;
    this.#count = Math.max(0, count);
    if (count < 0 && count !== -Errno.EAGAIN) {
      this.#watch.update({});
      this.#retry = setTimeout(() => this.#watch.update({ readable: true }), RETRY_MS);
      this.#events.onError(new linux.SystemError(count, 'recvmmsg'));
    }
    return count > 0;
  }

  /** @returns false: the sink is full */
  #deliver(): boolean {
    const intake = this.#intake;
    const info = this.#info;
    const longest = intake.maxMessageBytes;
    intake.tick();
    for (; this.#next < this.#count; this.#next++) {
      const about = this.#next * MESSAGE_WORDS;
      const length = info[about + Message.length] as number;
      const start = this.#next * this.#slot;
      const isTaken = intake.offer(
        this.#buffer,
        start,
        start + Math.min(length, longest),
        length > longest,
        info[about + Message.pid] as number,
        info[about + Message.uid] as number,
        info[about + Message.gid] as number,
      );
      if (!isTaken) return false;
    }
    return true;
  }

  async #wait(): Promise<void> {
    this.#isWaiting = true;
    this.#watch.update({});
    this.#events.onFull();
    do await this.#intake.ready();
    while (!this.#isClosing && !this.#deliver());
    this.#isWaiting = false;
    if (this.#isClosing) return;
    this.#events.onRoom();
    this.#watch.update({ readable: true });
  }

  /**
   * Offers what was sent so far, then gives everything back.
   * @param isShared others have the socket too, and go on with it
   */
  async close(isShared: boolean): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    // Nobody can send any more, and what was sent can still be read.
    if (!isShared) linux.shutdown(this.#fd, SHUT_RD);
    do while (!this.#deliver()) await this.#intake.ready();
    while (!(isShared && this.#intake.isAbandoned) && this.#receive());
    clearTimeout(this.#retry);
    this.#watch.close();
  }
}
