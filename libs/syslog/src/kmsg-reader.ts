import { EventEmitter } from 'node:events';
import * as linux from '@vm-tools/linux';
import { type RecordTaker, roomIn } from './intake.ts';
import { parseKmsg, unescapeKmsg } from './kmsg.ts';
import { LogRecord } from './record.ts';

const { Errno } = linux;
const { O_NONBLOCK, O_RDONLY, SEEK_END } = linux.constants;
const MOST_ROOM = 1 << 20;
/** Records after which it is others' turn. */
const TURN = 256;

export interface KmsgReaderOptions {
  /** Takes the records. While it takes none nothing is read; what the kernel overwrites meanwhile is counted as lost. */
  readonly sink: RecordTaker;
  /**
   * Which record is the first: the oldest that the kernel has, the next one that comes, or the one behind that number, `sequence` of a reader before. Numbers
   * begin at 0 with every boot: a number of another boot (/proc/sys/kernel/random/boot_id) means nothing. Default `start`.
   */
  readonly from?: 'start' | 'now' | { readonly after: number };
  /** Default `/dev/kmsg`. */
  readonly path?: string;
  /** In place of the path: what gives a record for each read(2), the reader's from then on. */
  readonly fd?: number;
  /**
   * Room for one record. The kernel drops a record that has none (EINVAL): it is counted as lost, and there is twice the room for the next. Default 16 KiB,
   * while CONSOLE_EXT_LOG_MAX of linux/printk.h is 8.
   */
  readonly bufferBytes?: number;
}

export interface KmsgCounters {
  /** Records that the sink has taken. */
  readonly records: number;
  readonly bytes: number;
  /** Records that the kernel had overwritten before they were read, by the gaps in their numbers. */
  readonly lost: number;
  /** What was read and is no record. */
  readonly strange: number;
  /** Times that the sink was full and reading had to wait. */
  readonly waits: number;
}

interface Events {
  /** Records are lost: so many, and the number of the first that is not. */
  lost: [records: number, next: number];
  /** The sink has no room: nothing is read. */
  full: [];
  /** It has room again. */
  room: [];
  /** Nothing can be read any more. */
  failing: [error: Error];
}

/** Reads the kernel's log as it grows (Documentation/ABI/testing/dev-kmsg), as records. */
export class KmsgReader extends EventEmitter<Events> implements Disposable {
  readonly #sink: RecordTaker;
  readonly #watch: linux.Watch;
  readonly #fd: number;
  readonly #record = new LogRecord();
  #buffer: Buffer;
  /** When the kernel's clock was 0, in microseconds since 1970. */
  #boot: number = Number.NaN;
  /** The number that the next record has if none is lost; NaN: any. */
  #expected: number = Number.NaN;
  /** Records that had no room: a gap in the numbers, but in front of the first one. */
  #dropped = 0;
  #isWaiting = false;
  #isClosed = false;
  #records = 0;
  #bytes = 0;
  #lost = 0;
  #strange = 0;
  #waits = 0;

  /** @throws SystemError EACCES, EPERM: only root may read it where kernel.dmesg_restrict is set; ENOENT */
  constructor(options: KmsgReaderOptions) {
    super();
    const { sink, from = 'start', path = '/dev/kmsg', bufferBytes = 16 << 10 } = options;
    this.#sink = sink;
    this.#buffer = Buffer.allocUnsafeSlow(bufferBytes);
    const fd = options.fd ?? linux.keptOpen(path, O_RDONLY | O_NONBLOCK);
    try {
      if (from === 'now') linux.check(linux.lseek(fd, 0, SEEK_END), 'lseek', { path });
      else this.#expected = from === 'start' ? 0 : from.after + 1;
      this.#watch = linux.watch(fd, { readable: true }, ({ writable }) => this.#ready(writable));
    } finally {
      linux.close(fd);
    }
    this.#fd = this.#watch.fd;
  }

  get counters(): KmsgCounters {
    return {
      records: this.#records,
      bytes: this.#bytes,
      lost: this.#lost,
      strange: this.#strange,
      waits: this.#waits,
    };
  }

  /** The number of the last record that was taken or lost, for `from` of the next reader; NaN: there was none. */
  get sequence(): number {
    return this.#expected - 1;
  }

  /** Stops reading. What the kernel has stays there. */
  close(): void {
    this.#isClosed = true;
    this.#watch.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #ready(hasError: boolean): void {
    if (this.#isWaiting || this.#isClosed) return;
    // Records that are overwritten are an error of poll(2), too, behind which the watch pauses.
    if (hasError) this.#watch.update({ readable: true });
    this.#read();
  }

  #read(): void {
    // Both clocks stand still while the machine sleeps.
    this.#boot = Date.now() * 1000 - Number(process.hrtime.bigint() / 1000n);
    for (let turn = 0; turn < TURN; turn++) {
      const length = linux.read(this.#fd, this.#buffer, 0, this.#buffer.length);
      if (length > 0) {
        if (!this.#parse(length) || this.#offer()) continue;
        void this.#wait();
        return;
      }
      if (length === -Errno.EAGAIN) return;
      // Records were overwritten: the next one that is read shows by its number how many.
      if (length === -Errno.EPIPE) continue;
      if (length !== -Errno.EINVAL || this.#buffer.length >= MOST_ROOM) {
        this.#fail(length);
        return;
      }
      this.#dropped++;
      this.#buffer = Buffer.allocUnsafeSlow(2 * this.#buffer.length);
    }
  }

  #fail(length: number): void {
    this.#watch.update({});
    this.emit(
      'failing',
      length === 0 ? new Error('the log of the kernel has ended') : new linux.SystemError(length, 'read'),
    );
  }

  /** @returns false: it is no record, or not wanted */
  #parse(length: number): boolean {
    const record = this.#record;
    const now = Date.now();
    const seconds = Math.floor(now / 1000);
    record.reset(this.#buffer, 0, length, seconds, (now - seconds * 1000) * 1e6);
    if (!parseKmsg(record, this.#boot)) {
      this.#strange++;
      return false;
    }
    // Asked to begin behind it.
    if (record.sequence < this.#expected) return false;
    this.#countLost(record.sequence);
    unescapeKmsg(record);
    return true;
  }

  /** @returns false: the sink is full */
  #offer(): boolean {
    const record = this.#record;
    if (!this.#sink.write(record)) return false;
    this.#expected = record.sequence + 1;
    this.#records++;
    this.#bytes += record.end - record.start;
    return true;
  }

  #countLost(sequence: number): void {
    if (Number.isNaN(this.#expected)) this.#expected = sequence - this.#dropped;
    const lost = sequence - this.#expected;
    if (!(lost > 0)) return;
    this.#lost += lost;
    this.#expected = sequence;
    this.emit('lost', lost, sequence);
  }

  async #wait(): Promise<void> {
    this.#isWaiting = true;
    this.#watch.update({});
    this.emit('full');
    do {
      this.#waits++;
      await roomIn(this.#sink);
    } while (!this.#isClosed && !this.#offer());
    this.#isWaiting = false;
    if (this.#isClosed) return;
    this.emit('room');
    this.#watch.update({ readable: true });
  }
}
