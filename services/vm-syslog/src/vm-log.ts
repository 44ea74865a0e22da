import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { close, constants, keptOpen, pread } from '@vm-tools/linux';
import {
  DevLogServer,
  FileSink,
  LogRecord,
  RateLimiter,
  type RecordFormat,
  RotatingFile,
  type SyncPolicy,
  vmFileFormat,
} from '@vm-tools/syslog';
import { BatchJournal } from './batch-journal.ts';
import { encodedName, type Vm } from './vm.ts';

export interface VmLogOptions {
  /** Files are below it, in `OWNER/log`. */
  readonly directory: string;
  readonly maxFileBytes: number;
  readonly kept: number;
  readonly gzip: boolean;
  readonly sync: SyncPolicy;
  /** Records of a VM in `LIMIT_INTERVAL_MS`; further ones are lost. Infinity: no limit. */
  readonly maxRecords: number;
  /** Told of what is lost, and of what goes wrong. */
  readonly onTrouble: (what: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** Records that came together, in the order in which they were written. */
export interface NumberedBatch {
  /** Who numbers; empty: nobody does. */
  readonly stream: string;
  readonly number: bigint;
  /** One record for all: each is good until the next. */
  records(): Iterable<LogRecord>;
}

export const LIMIT_INTERVAL_MS = 30_000;
/** A line of a console is no longer. */
const LONGEST_CONSOLE_LINE = 8192;
/** All records of a VM count together. */
const ALL = 0;
const LONGEST_ADDRESS = 107;

/** What one VM logs, as files of the host. */
export class VmLog implements AsyncDisposable {
  readonly vm: Vm;
  /** Batches that came again. */
  repeats = 0;
  readonly #options: VmLogOptions;
  readonly #format: RecordFormat;
  readonly #journal: BatchJournal;
  readonly #file: RotatingFile;
  readonly #sink: FileSink;
  readonly #limiter: RateLimiter | undefined;
  readonly #console: DevLogServer;
  readonly #folder: number;
  #limitTimer: NodeJS.Timeout | undefined;
  /** Of all VMs: a batch is done with before there is another. */
  static #buffer = Buffer.allocUnsafe(64 << 10);

  private constructor(vm: Vm, options: VmLogOptions) {
    const { directory, maxFileBytes, kept, gzip, sync, maxRecords, onTrouble } = options;
    this.vm = vm;
    this.#options = options;
    this.#format = vmFileFormat({ name: `VM(${vm.cid})` });
    this.#limiter =
      maxRecords === Number.POSITIVE_INFINITY
        ? undefined
        : new RateLimiter({ messages: maxRecords, intervalMs: LIMIT_INTERVAL_MS });
    const folder = join(directory, vm.owner, 'log');
    mkdirSync(folder, { recursive: true, mode: 0o750 });
    const path = join(folder, encodedName(vm.name));
    this.#journal = new BatchJournal(`${path}.batches`, { isSynced: sync === 'always' });
    let file: RotatingFile | undefined;
    try {
      file = new RotatingFile(`${path}.log`, {
        ...{ maxBytes: maxFileBytes, kept, gzip, sync },
        onBeforeRotate: () => this.#journal.settle(),
        onError: (error) => onTrouble('not all of its files are as they should be', { error }),
      });
      this.#file = file;
      this.#recover(`${path}.log`);
    } catch (error) {
      void file?.close();
      this.#journal.close();
      throw error;
    }
    this.#sink = new FileSink(this.#file, { format: this.#format });
    this.#sink.on('failing', (error) => onTrouble('its file cannot be written', { error }));
    this.#sink.on('recovered', () => onTrouble('its file can be written again', {}));
    this.#sink.on('lost', (records, why) => onTrouble('records are lost', { records, why }));
    this.#folder = keptOpen(folder, constants.O_PATH | constants.O_DIRECTORY);
    this.#console = new DevLogServer({
      sink: { write: (record) => this.#write(record), ready: () => this.#sink.ready() },
      maxMessageBytes: LONGEST_CONSOLE_LINE,
    });
    this.#console.on('failing', (error) => onTrouble('its console socket does not work', { error }));
  }

  /** Opens the files of a VM. @throws JournalInUseError; SystemError; DevLogInUseError */
  static async open(vm: Vm, options: VmLogOptions): Promise<VmLog> {
    const log = new VmLog(vm, options);
    try {
      await log.#console.listen(log.#socketPath(), { mode: 0o600 });
    } catch (error) {
      await log.close();
      throw error;
    }
    return log;
  }

  /**
   * Writes a batch, unless it is there already.
   * @returns whether it was new
   * @throws SystemError: nothing of it was written; it can be sent again
   */
  take(batch: NumberedBatch): boolean {
    const { stream, number } = batch;
    const isNumbered = stream !== '';
    if (isNumbered && this.#journal.has(stream, number)) {
      this.repeats++;
      return false;
    }
    const length = this.#formatted(batch);
    this.#file.rotateIfDue(length);
    if (isNumbered) this.#journal.begin(stream, number, this.#file, length);
    try {
      if (length > 0) this.#file.write(VmLog.#buffer, 0, length);
    } catch (error) {
      if (isNumbered) this.#journal.takeBack(stream);
      throw error;
    }
    return true;
  }

  /** Opens what has the file's name now. @throws SystemError */
  reopen(): void {
    this.#file.reopen();
  }

  /** Writes what it has, and gives everything back. */
  async close(): Promise<void> {
    await this.#console.close();
    clearTimeout(this.#limitTimer);
    this.#tellLimit();
    await this.#sink.close();
    this.#journal.close();
    close(this.#folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Puts the batch into the buffer. @returns how many bytes it is */
  #formatted(batch: NumberedBatch): number {
    let at = 0;
    let tooMany = 0;
    for (const record of batch.records()) {
      if (!this.#admit()) continue;
      const most = at + this.#format.overhead + 4 * (record.end - record.start);
      if (most > VmLog.#buffer.length) {
        const larger = Buffer.allocUnsafe(2 * most);
        larger.set(VmLog.#buffer.subarray(0, at));
        VmLog.#buffer = larger;
      }
      const end = this.#format.write(record, VmLog.#buffer, at);
      // Small records become much larger lines: a batch may not be more than the VM's files together.
      if (end > this.#options.maxFileBytes) tooMany++;
      else at = end;
    }
    if (tooMany > 0)
      this.#note(tooMany, `their batch was larger than ${this.#options.maxFileBytes} bytes as lines`);
    return at;
  }

  /** What a process that was killed has left: half a batch, half a line of the console. */
  #recover(path: string): void {
    this.#journal.recover(this.#file);
    if (this.#file.size === 0) return;
    const last = Buffer.alloc(1);
    const fd = keptOpen(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    pread(fd, last, 0, 1, this.#file.size - 1);
    close(fd);
    if (last[0] !== 0x0a) this.#file.write(Buffer.from('\n'), 0, 1);
  }

  #write(record: LogRecord): boolean {
    return !this.#admit() || this.#sink.write(record);
  }

  #admit(): boolean {
    if (this.#limiter?.admit(ALL, performance.now()) !== false) return true;
    this.#limitTimer ??= setTimeout(() => this.#tellLimit(), LIMIT_INTERVAL_MS);
    return false;
  }

  #tellLimit(): void {
    this.#limitTimer = undefined;
    for (const { records } of this.#limiter?.settle() ?? []) {
      this.#note(records, `a VM may have ${this.#options.maxRecords} in ${LIMIT_INTERVAL_MS / 1000} s`);
    }
  }

  /** A line of its own for what is lost. */
  #note(records: number, why: string): void {
    this.#options.onTrouble('records are lost', { records, why });
    const message = `vmlog_forwarder: ${records} messages are lost: ${why}`;
    this.#sink.write(LogRecord.from({ message, severity: 4 }));
  }

  /** A path that may be too long for an address begins at the directory's descriptor. */
  #socketPath(): string {
    const name = `${encodedName(this.vm.name)}.lsock`;
    const path = join(this.#options.directory, this.vm.owner, 'log', name);
    return Buffer.byteLength(path) <= LONGEST_ADDRESS ? path : `/proc/self/fd/${this.#folder}/${name}`;
  }
}
