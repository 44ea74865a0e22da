import type { LogRecord } from './record.ts';
import type { RecordFormat } from './sink.ts';

/** What is asked of a sink whose receiver may be away. */
export interface BacklogOptions {
  /** How long to wait before it is connected to again: it doubles from `minMs` (100) to `maxMs` (10,000). */
  readonly retry?: { readonly minMs: number; readonly maxMs: number };
  /** How long `close` goes on, in milliseconds. Default 2,000. */
  readonly closeMs?: number;
}

/** What such a sink tells. */
export interface BacklogEvents {
  /** Nobody takes what it sends; once until someone does. */
  failing: [error: Error];
  /** Someone does again. */
  recovered: [];
  /** Records that were taken are lost. */
  lost: [records: number, why: string];
}

/** Records as they are to be sent, one behind the other in one piece of memory, for sinks whose receiver may be away. */
export class RecordBacklog {
  /** Records are in it from `start` to before `end`. Adding one may move them, and may put another buffer in its place. */
  bytes: Buffer = Buffer.allocUnsafeSlow(4096);
  start = 0;
  end = 0;
  readonly #format: RecordFormat;
  readonly #maxBytes: number;
  /** How long each record is, the first one at `#first`. */
  #lengths: number[] = [];
  #first = 0;
  #room: PromiseWithResolvers<void> | undefined;

  constructor(format: RecordFormat, maxBytes: number) {
    this.#format = format;
    this.#maxBytes = maxBytes;
  }

  get records(): number {
    return this.#lengths.length - this.#first;
  }

  /** @returns false: it is full; {@link ready} tells when it no longer is */
  add(record: LogRecord): boolean {
    this.#reserve(this.#format.overhead + 4 * (record.end - record.start));
    const end = this.#format.write(record, this.bytes, this.end);
    // One record alone always has room.
    if (end - this.start > this.#maxBytes && this.records > 0) {
      this.#room ??= Promise.withResolvers();
      return false;
    }
    this.#lengths.push(end - this.end);
    this.end = end;
    return true;
  }

  /** Resolves when there is room. */
  async ready(): Promise<void> {
    await this.#room?.promise;
  }

  /** Bytes of a record, counted from the first. */
  lengthAt(index: number): number {
    return this.#lengths[this.#first + index] as number;
  }

  /** Forgets so many of the first records. */
  drop(records: number): void {
    for (let i = 0; i < records; i++) this.start += this.lengthAt(i);
    this.#first += records;
    if (this.#first > 1024 && 2 * this.#first > this.#lengths.length) {
      this.#lengths = this.#lengths.slice(this.#first);
      this.#first = 0;
    }
    if (this.start === this.end) this.start = this.end = 0;
    if (4 * (this.end - this.start) <= 3 * this.#maxBytes) this.release();
  }

  /** Lets those go on who wait for room. */
  release(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  #reserve(length: number): void {
    if (this.end + length <= this.bytes.length) return;
    const held = this.end - this.start;
    const to =
      2 * (held + length) <= this.bytes.length ? this.bytes : Buffer.allocUnsafeSlow(2 * (held + length));
    this.bytes.copy(to, 0, this.start, this.end);
    this.bytes = to;
    this.start = 0;
    this.end = held;
  }
}
