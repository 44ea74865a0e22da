import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { type Batch, BatchRefusedError } from './batch.ts';
import { Facility, Severity } from './priority.ts';
import type { RateLimitOptions } from './rate-limit.ts';
import { LogRecord } from './record.ts';
import { SenderLimits } from './sender-limits.ts';
import { type Chosen, SenderQueues } from './sender-queues.ts';
import type { RecordFormat, Sink, SinkCounters } from './sink.ts';
import type { Spill } from './spill.ts';
import { MAX_SENDERS } from './spill-frame.ts';

export interface AggregatorOptions {
  /** How records are written into batches. */
  readonly format: RecordFormat;
  /**
   * Brings a batch to its receiver, and resolves when that has it. What it rejects with is told by the event `failing`, and the same batch is
   * given to it again, before any other; a {@link BatchRefusedError} says that this is of no use.
   */
  readonly send: (batch: Batch, signal: AbortSignal) => Promise<void>;
  /** How long a record may wait for others, in milliseconds. Default 5,000. */
  readonly flushMs?: number;
  /** With so many bytes of records none waits. Default 4,096. */
  readonly flushBytes?: number;
  /** The most bytes of records in a batch that has more than one. Default 256 KiB. */
  readonly maxBatchBytes?: number;
  /** The most that records in memory may take, besides one batch. Default 4 MiB. */
  readonly maxMemoryBytes?: number;
  /** Where records go that memory has no room for, and those that are left at the end. It is the aggregator's from then on. */
  readonly spill?: Spill;
  /** How long to wait before a batch is sent again: it doubles from `minMs` (100) to `maxMs` (10,000). */
  readonly retry?: { readonly minMs: number; readonly maxMs: number };
  /** Default: none. */
  readonly rateLimit?: RateLimitOptions;
  /** How long `close` goes on sending, in milliseconds. Default 2,000. */
  readonly closeMs?: number;
  /** Among whose records order is kept, and who is limited: a number of 32 bits. Default: the sender's pid, -1 for what has none. */
  readonly senderOf?: (record: LogRecord) => number;
  /** The tag of the lines that it writes itself. Default `syslog`. */
  readonly tag?: string;
}

export interface AggregatorCounters extends SinkCounters {
  /** Records that were lost since their sender had too many. */
  readonly suppressed: number;
  /** Records that went to the disk. */
  readonly spilled: number;
  /** Batches that have arrived. */
  readonly batches: number;
  /** Times that a batch could not be sent. */
  readonly failures: number;
}

interface Events {
  /** The receiver does not take what it is sent; once until it does. */
  failing: [error: unknown];
  /** It does again. */
  recovered: [];
  /** There is no room: `write` returns false. */
  full: [];
  /** There is room again. */
  room: [];
  /** Records, or bytes of which nobody knows what they were, are lost. */
  lost: [records: number, why: string];
}

/** Of the lines that the aggregator writes itself. Nobody's pid. */
const OWN = -0x8000_0000;

/**
 * Collects records and forwards them in numbered batches, each until it has arrived. While the receiver is away they wait in memory, then in files,
 * then `write` returns false. What one sender wrote arrives in its order; senders take turns.
 */
export class Aggregator extends EventEmitter<Events> implements Sink {
  readonly #options: AggregatorOptions;
  readonly #limits;
  readonly #limiter: SenderLimits | undefined;
  readonly #spill: Spill | undefined;
  /** Senders with batches in the spill, how many each: what they send now has to wait for those. */
  #spilledBy: Map<number, number>;
  readonly #queues = new SenderQueues();
  readonly #abort = new AbortController();
  readonly #stream = randomBytes(12).toString('base64url');
  readonly #spillStream = randomBytes(12).toString('base64url');
  #number = 0n;
  #spillNumber = 0n;
  #scratch = Buffer.allocUnsafe(4096);
  /** A batch from memory that has not arrived yet. */
  #pending: Batch | undefined;
  #isSpillsTurn = false;
  /** Records in memory have waited long enough. */
  #isDue = false;
  #dueTimer: NodeJS.Timeout | undefined;
  #isSending = false;
  #isClosing = false;
  #wake: () => void = () => undefined;
  /** Resolves when there is room again; undefined: there is. */
  #room: PromiseWithResolvers<void> | undefined;
  #closed: Promise<void> | undefined;
  readonly #idle: (() => void)[] = [];
  readonly #counters = {
    taken: 0,
    written: 0,
    bytes: 0,
    lost: 0,
    suppressed: 0,
    spilled: 0,
    batches: 0,
    failures: 0,
  };

  constructor(options: AggregatorOptions) {
    super();
    this.#options = options;
    const {
      flushMs = 5000,
      flushBytes = 4096,
      maxBatchBytes = 256 << 10,
      maxMemoryBytes = 4 << 20,
    } = options;
    this.#limits = { flushMs, flushBytes, maxBatchBytes, maxMemoryBytes };
    this.#limiter =
      options.rateLimit &&
      new SenderLimits(options.rateLimit, (...suppressed) => this.#tellSuppressed(...suppressed));
    this.#spill = options.spill;
    this.#spilledBy = this.#spill?.senders() ?? new Map();
    this.#counters.taken = this.#spill?.records ?? 0;
    const damaged = this.#spill?.recovered.damagedBytes ?? 0;
    if (damaged > 0) this.note(`${damaged} bytes of records that were kept on the disk are damaged and lost`);
    this.#send();
  }

  get counters(): AggregatorCounters {
    return { ...this.#counters };
  }

  write(record: LogRecord): boolean {
    if (this.#isClosing) throw new Error('the aggregator has been closed: it takes no more records');
    const bytes = this.#format(record);
    if (!this.#hasRoom(bytes.length)) {
      this.#waitForRoom();
      return false;
    }
    const sender = this.#options.senderOf?.(record) ?? record.senderPid;
    this.#counters.taken++;
    if (this.#limiter?.admit(sender) === false) {
      this.#counters.suppressed++;
      this.#counters.lost++;
    } else this.#add(sender, bytes);
    return true;
  }

  /** Adds a line of one's own, such as how many messages were lost before they came here. It finds room, and no limit holds for it. */
  note(message: string, severity: number = Severity.warning): void {
    const { tag = 'syslog' } = this.#options;
    this.#counters.taken++;
    this.#add(OWN, this.#format(LogRecord.from({ message, severity, facility: Facility.syslog, tag })));
  }

  async ready(): Promise<void> {
    await this.#room?.promise;
  }

  async flush(): Promise<void> {
    this.#isDue = true;
    this.#send();
    if (this.#isEmpty) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Sends what it can for a while (`closeMs`); the rest goes to the spill, for the next process, or is lost. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #format(record: LogRecord): Buffer {
    const { format } = this.#options;
    const most = format.overhead + 4 * (record.end - record.start);
    if (this.#scratch.length < most) this.#scratch = Buffer.allocUnsafe(2 * most);
    return Buffer.from(this.#scratch.subarray(0, format.write(record, this.#scratch, 0)));
  }

  #add(sender: number, bytes: Buffer): void {
    this.#queues.add(sender, bytes);
    if (this.#queues.bytes >= this.#limits.flushBytes) this.#isDue = true;
    if (this.#isDue || this.#isClosing) this.#send();
    else
      this.#dueTimer ??= setTimeout(() => {
        this.#isDue = true;
        this.#send();
      }, this.#limits.flushMs);
  }

  #tellSuppressed(records: number, sender: number, allowed: string): void {
    this.note(`${records} messages of process ${sender} were suppressed: ${allowed}`);
    this.emit('lost', records, `process ${sender} had more than ${allowed}`);
  }

  /** Whether a record of so many bytes has room, perhaps when others have gone to the disk. */
  #hasRoom(length: number): boolean {
    const { maxMemoryBytes } = this.#limits;
    const needed = SenderQueues.cost(length);
    if (this.#queues.records === 0 || this.#queues.bytes + needed <= maxMemoryBytes) return true;
    while (this.#queues.bytes > maxMemoryBytes / 2 && this.#spillLargest());
    return this.#queues.bytes + needed <= maxMemoryBytes;
  }

  /** Takes a batch of those who have most to the disk. */
  #spillLargest(): boolean {
    const chosen = this.#queues.largest(this.#limits.maxBatchBytes, MAX_SENDERS);
    if (!this.#spill || chosen.length === 0) return false;
    const batch = batchOf(chosen, this.#spillStream, this.#spillNumber + 1n);
    if (!this.#spill.append(batch)) return false;
    this.#spillNumber++;
    this.#queues.remove(chosen);
    this.#counters.spilled += batch.records;
    for (const sender of batch.senders) this.#spilledBy.set(sender, (this.#spilledBy.get(sender) ?? 0) + 1);
    this.#send();
    return true;
  }

  get #isEmpty(): boolean {
    return !this.#pending && this.#queues.records === 0 && (this.#spill?.batches ?? 0) === 0;
  }

  /** Sends whatever is due, one batch after the other, unless it does so already. */
  #send(): void {
    if (!this.#isSending) void this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    let delay = 0;
    for (let batch = this.#next(); batch; batch = this.#next()) {
      const error = await this.#try(batch);
      // What is under way at the end is kept with the rest.
      if (this.#abort.signal.aborted) return;
      if (error === undefined || error instanceof BatchRefusedError) {
        if (delay > 0) this.emit('recovered');
        delay = 0;
        this.#settle(batch, error);
        continue;
      }
      this.#counters.failures++;
      if (delay === 0) this.emit('failing', error);
      const { minMs, maxMs } = this.#options.retry ?? { minMs: 100, maxMs: 10_000 };
      delay = Math.min(maxMs, Math.max(minMs, 2 * delay));
      await this.#pause(delay);
      if (this.#abort.signal.aborted) return;
    }
    this.#isSending = false;
    if (this.#isEmpty) for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #try(batch: Batch): Promise<unknown> {
    try {
      await this.#options.send(batch, this.#abort.signal);
      return undefined;
    } catch (error) {
      return error ?? new Error('the batch could not be sent');
    }
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** The batch that has to arrive next. Memory and disk take turns. */
  #next(): Batch | undefined {
    if (this.#pending) return this.#pending;
    this.#isSpillsTurn = !this.#isSpillsTurn;
    return this.#isSpillsTurn
      ? (this.#fromSpill() ?? this.#fromMemory())
      : (this.#fromMemory() ?? this.#fromSpill());
  }

  #fromSpill(): Batch | undefined {
    if (!this.#spill) return undefined;
    const { records, damagedBytes } = this.#spill;
    const batch = this.#spill.peek();
    if (this.#spill.damagedBytes > damagedBytes) {
      this.#spilledBy = this.#spill.senders();
      this.#lose(records - this.#spill.records, 'were damaged on the disk');
    }
    return batch;
  }

  #fromMemory(): Batch | undefined {
    if (!this.#isDue && !this.#isClosing && this.#idle.length === 0) return undefined;
    const isFree = (sender: number) => !this.#spilledBy.has(sender);
    const chosen = this.#queues.takeInTurns(this.#limits.maxBatchBytes, isFree);
    if (chosen.length === 0) {
      // Those who are left wait for the disk.
      this.#isDue = this.#queues.records > 0;
      return undefined;
    }
    clearTimeout(this.#dueTimer);
    this.#dueTimer = undefined;
    this.#isDue = this.#queues.records > 0;
    this.#number++;
    this.#pending = batchOf(chosen, this.#stream, this.#number);
    this.#tellRoom();
    return this.#pending;
  }

  /** A batch has arrived, or never will. */
  #settle(batch: Batch, refusal: BatchRefusedError | undefined): void {
    if (this.#pending === batch) this.#pending = undefined;
    else this.#forgetSpilled(batch);
    if (refusal) {
      // Lines of its own that were refused are no reason for another one.
      const isTold = batch.senders.some((sender) => sender !== OWN);
      this.#lose(batch.records, `were refused by the receiver: ${refusal.message}`, isTold);
      return;
    }
    this.#counters.written += batch.records;
    this.#counters.bytes += batch.bytes.length;
    this.#counters.batches++;
  }

  #forgetSpilled({ senders }: Batch): void {
    this.#spill?.shift();
    for (const sender of senders) {
      const left = (this.#spilledBy.get(sender) ?? 0) - 1;
      if (left > 0) this.#spilledBy.set(sender, left);
      else this.#spilledBy.delete(sender);
    }
    this.#tellRoom();
  }

  #lose(records: number, why: string, isTold = true): void {
    this.#counters.lost += records;
    if (isTold && !this.#isClosing) this.note(`${records} messages ${why}`);
    this.emit('lost', records, why);
  }

  #waitForRoom(): void {
    if (this.#room) return;
    this.#room = Promise.withResolvers();
    this.#isDue = true;
    this.emit('full');
    this.#send();
  }

  #tellRoom(): void {
    if (!this.#room || !this.#hasRoom(this.#limits.maxMemoryBytes / 4)) return;
    this.#room.resolve();
    this.#room = undefined;
    this.emit('room');
  }

  async #close(): Promise<void> {
    this.#limiter?.close();
    this.#isClosing = true;
    clearTimeout(this.#dueTimer);
    this.#wake();
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#options.closeMs ?? 2000);
    });
    await Promise.race([this.flush(), deadline]);
    clearTimeout(timer);
    this.#abort.abort();
    this.#wake();
    this.#keepTheRest();
    this.#room?.resolve();
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #keepTheRest(): void {
    const pending = this.#pending;
    if (pending && this.#spill?.prepend(pending)) {
      this.#counters.spilled += pending.records;
      this.#pending = undefined;
    }
    while (this.#spillLargest());
    const lost = (this.#pending?.records ?? 0) + this.#queues.records;
    if (lost > 0)
      this.#lose(lost, 'were not taken by the receiver before the end, and had no room on the disk');
    this.#spill?.close();
  }
}

/** One behind the other. */
function batchOf(chosen: Chosen, stream: string, number: bigint): Batch {
  const records = chosen.flatMap((each) => each.records);
  const senders = [...new Set(chosen.map(({ sender }) => sender))];
  return { stream, number, records: records.length, senders, bytes: Buffer.concat(records) };
}
