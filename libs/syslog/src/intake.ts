import { setImmediate } from 'node:timers/promises';
import { LogRecord } from './record.ts';
import { parseSyslog } from './rfc5424.ts';
import type { Sink } from './sink.ts';

/** What a reader of messages asks of where they go. */
export type RecordTaker = Pick<Sink, 'write' | 'ready'>;

/** Resolves when the sink has room. Whatever it promises, everybody else has their turn before. */
export async function roomIn(sink: RecordTaker): Promise<void> {
  await sink.ready();
  await setImmediate();
}

export interface IntakeOptions {
  /** Takes the records. While it takes none nothing is read, and the kernel makes the senders wait. */
  readonly sink: RecordTaker;
  /** Fills a record that `reset` has made ready. Default {@link parseSyslog}. */
  readonly parse?: (record: LogRecord) => void;
  /** A longer message is cut there and marked as truncated. Default 65,536; at least 1,024. */
  readonly maxMessageBytes?: number;
  /** A pid in a message that is not its sender's is replaced by the sender's, and the record marked as corrected. Default true. */
  readonly correctPids?: boolean;
}

/** What became of messages so far. */
export interface IntakeCounters {
  /** Messages that the sink has taken. */
  readonly messages: number;
  /** Their bytes, as received. */
  readonly bytes: number;
  /** Those among them that were cut. */
  readonly truncated: number;
  /** Those among them that said a pid that was not their sender's. */
  readonly corrected: number;
  /** Messages without a byte of text or priority, which nobody gets. */
  readonly empty: number;
  /** Times that the sink was full and reading had to wait. */
  readonly waits: number;
  /** Messages that were received and given up, since the sink was full until the end. */
  readonly lost: number;
}

/** What all sockets of a server share: makes records of messages and offers them, one record for all. */
export class Intake {
  readonly maxMessageBytes: number;
  readonly #sink: RecordTaker;
  readonly #parse: (record: LogRecord) => void;
  readonly #correctPids: boolean;
  readonly #record = new LogRecord();
  #seconds: number = Number.NaN;
  #nanoseconds = 0;
  #messages = 0;
  #bytes = 0;
  #truncated = 0;
  #corrected = 0;
  #empty = 0;
  #waits = 0;
  #lost = 0;
  #isClosing = false;
  #isAbandoned = false;
  readonly #abandoned = Promise.withResolvers<void>();

  /** @throws RangeError maxMessageBytes */
  constructor(options: IntakeOptions) {
    const { sink, parse = parseSyslog, maxMessageBytes = 65_536, correctPids = true } = options;
    if (!Number.isInteger(maxMessageBytes) || maxMessageBytes < 1024 || maxMessageBytes > 1 << 20)
      throw new RangeError(`maxMessageBytes is ${maxMessageBytes}: it is to be from 1,024 to 1,048,576`);
    this.#sink = sink;
    this.#parse = parse;
    this.maxMessageBytes = maxMessageBytes;
    this.#correctPids = correctPids;
  }

  get counters(): IntakeCounters {
    return {
      messages: this.#messages,
      bytes: this.#bytes,
      truncated: this.#truncated,
      corrected: this.#corrected,
      empty: this.#empty,
      waits: this.#waits,
      lost: this.#lost,
    };
  }

  /** What is offered from now on came at this moment. */
  tick(): void {
    const now = Date.now();
    this.#seconds = Math.floor(now / 1000);
    this.#nanoseconds = (now - this.#seconds * 1000) * 1e6;
  }

  /** Offers the message from `start` to before `end`. @returns false: the sink is full; offer it again when it is ready */
  offer(
    bytes: Uint8Array,
    start: number,
    end: number,
    isTruncated: boolean,
    pid: number,
    uid: number,
    gid: number,
  ): boolean {
    const record = this.#record;
    record.reset(bytes, start, end, this.#seconds, this.#nanoseconds);
    this.#parse(record);
    if (record.end === start) {
      this.#empty++;
      return true;
    }
    record.isTruncated = isTruncated;
    record.senderPid = pid;
    record.senderUid = uid;
    record.senderGid = gid;
    if (pid > 0) {
      if (record.pid === 0) {
        record.pid = pid;
      } else if (record.pid !== pid && this.#correctPids) {
        record.isCorrected = true;
        record.pid = pid;
      }
    }
    if (!this.#sink.write(record)) {
      if (this.#isAbandoned) this.#lost++;
      return this.#isAbandoned;
    }
    this.#messages++;
    this.#bytes += end - start;
    if (isTruncated) this.#truncated++;
    if (record.isCorrected) this.#corrected++;
    return true;
  }

  /** Resolves when the sink has room again. */
  async ready(): Promise<void> {
    this.#waits++;
    const room = roomIn(this.#sink);
    await (this.#isClosing ? Promise.race([room, this.#abandoned.promise]) : room);
  }

  /** From now on a wait ends when the intake is abandoned, too. */
  closing(): void {
    this.#isClosing = true;
  }

  /** What a full sink does not take is counted as lost from now on. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#abandoned.resolve();
  }

  get isAbandoned(): boolean {
    return this.#isAbandoned;
  }
}
