import { EventEmitter } from 'node:events';
import type { LogRecord } from './record.ts';
import type { RotatingFile } from './rotating-file.ts';
import type { ByteSink, RecordFormat, Sink, SinkCounters } from './sink.ts';

export interface FileSinkOptions {
  /** How records are written. */
  readonly format: RecordFormat;
  /** What is collected before it is written, and the most that is held while the file cannot be written. Default 256 KiB. */
  readonly bufferBytes?: number;
  /** How long a record may wait for others, in milliseconds. Default 0: until all that has come already has been seen to. */
  readonly flushMs?: number;
  /** When it is tried again to write, in milliseconds. Default 1,000. */
  readonly retryMs?: number;
}

interface Events {
  /** The file cannot be written; once until it can. */
  failing: [error: unknown];
  /** It can again. */
  recovered: [];
  /** Records that were taken are lost. */
  lost: [records: number, why: string];
}

/**
 * Writes records to a file, many by one system call. They are formatted where they are written from: nothing is allocated for a record.
 *
 * A file that cannot be written is tried again and again. Meanwhile what has been taken stays, and nothing more is taken.
 */
export class FileSink extends EventEmitter<Events> implements Sink, ByteSink {
  readonly file: RotatingFile;
  readonly #format: RecordFormat;
  readonly #flushMs: number;
  readonly #retryMs: number;
  readonly #bufferBytes: number;
  #buffer: Buffer;
  /** Where the buffer is filled up to, and how many records those are. */
  #end = 0;
  #records = 0;
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isFailing = false;
  #isClosed = false;
  /** Resolves when everything is written. */
  #drained: PromiseWithResolvers<void> | undefined;
  readonly #counters = { taken: 0, written: 0, bytes: 0, lost: 0 };

  /** @param file is the sink's from then on, and is closed with it */
  constructor(file: RotatingFile, options: FileSinkOptions) {
    super();
    this.file = file;
    this.#format = options.format;
    this.#bufferBytes = options.bufferBytes ?? 256 << 10;
    this.#flushMs = options.flushMs ?? 0;
    this.#retryMs = options.retryMs ?? 1000;
    this.#buffer = Buffer.allocUnsafeSlow(this.#bufferBytes);
  }

  get counters(): SinkCounters {
    return { ...this.#counters };
  }

  write(record: LogRecord): boolean {
    if (!this.#makeRoom(this.#format.overhead + 4 * (record.end - record.start))) return false;
    this.#end = this.#format.write(record, this.#buffer, this.#end);
    this.#add(1);
    return true;
  }

  writeBytes(bytes: Uint8Array, start: number, end: number, records: number): boolean {
    if (!this.#makeRoom(end - start)) return false;
    this.#buffer.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), this.#end);
    this.#end += end - start;
    this.#add(records);
    return true;
  }

  async ready(): Promise<void> {
    if (this.#isFailing) await this.#whenDrained();
  }

  async flush(): Promise<void> {
    this.#write();
    if (this.#end > 0) await this.#whenDrained();
  }

  /** What cannot be written now is lost. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#write();
    this.#stopWaiting();
    if (this.#records > 0) {
      this.#counters.lost += this.#records;
      this.emit('lost', this.#records, `${this.file.path} could not be written before the end`);
    }
    this.#settle();
    await this.file.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #makeRoom(length: number): boolean {
    if (this.#isClosed) throw new Error('the sink has been closed: it takes no more records');
    if (this.#end + length <= this.#buffer.length) return true;
    if (!this.#isFailing) this.#write();
    if (this.#end > 0) return false;
    if (length > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(length);
    return true;
  }

  #add(records: number): void {
    this.#records += records;
    this.#counters.taken += records;
    if (this.#isFailing) return;
    if (this.#flushMs > 0) this.#timer ??= setTimeout(this.#onTime, this.#flushMs);
    else this.#immediate ??= setImmediate(this.#onTime);
  }

  readonly #onTime = (): void => this.#write();

  /** All that there is, or nothing of it. */
  #write(): void {
    this.#stopWaiting();
    if (this.#end === 0) return;
    try {
      this.file.append(this.#buffer, 0, this.#end);
    } catch (error) {
      this.#timer = setTimeout(this.#onTime, this.#retryMs);
      if (!this.#isFailing) {
        this.#isFailing = true;
        this.emit('failing', error);
      }
      return;
    }
    this.#counters.written += this.#records;
    this.#counters.bytes += this.#end;
    const hasRecovered = this.#isFailing;
    this.#settle();
    if (hasRecovered) this.emit('recovered');
  }

  /** The buffer is empty. */
  #settle(): void {
    this.#end = 0;
    this.#records = 0;
    this.#isFailing = false;
    if (this.#buffer.length > this.#bufferBytes) this.#buffer = Buffer.allocUnsafeSlow(this.#bufferBytes);
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  #stopWaiting(): void {
    if (this.#immediate) clearImmediate(this.#immediate);
    clearTimeout(this.#timer);
    this.#immediate = undefined;
    this.#timer = undefined;
  }

  async #whenDrained(): Promise<void> {
    this.#drained ??= Promise.withResolvers();
    await this.#drained.promise;
  }
}
