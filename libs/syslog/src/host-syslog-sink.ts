import { EventEmitter } from 'node:events';
import * as linux from '@vm-tools/linux';
import type { LogRecord } from './record.ts';
import { type BacklogEvents, type BacklogOptions, RecordBacklog } from './record-backlog.ts';
import { rfc3164Format } from './rfc3164-format.ts';
import type { RecordFormat, Sink, SinkCounters } from './sink.ts';

const { Errno } = linux;
const { AF_UNIX, MSG_DONTWAIT, SOCK_DGRAM, SOCK_NONBLOCK } = linux.constants;
/** What ends a message that was cut. */
const CUT = Buffer.from(' [...]');
/** The kernel is short of memory (ENOBUFS): there is nothing to wait for. */
const SHORTAGE_MS = 20;
/** Messages after which it is others' turn. */
const TURN = 1024;

export interface HostSyslogSinkOptions extends BacklogOptions {
  /** Default `/dev/log`. */
  readonly path?: string;
  /** How records are written, each as a datagram. Default `rfc3164Format()`, which the host's syslog expects there. */
  readonly format?: RecordFormat;
  /** What is held while the syslog of the host does not take it. Default 1 MiB. */
  readonly maxMemoryBytes?: number;
}

export interface HostSyslogCounters extends SinkCounters {
  /** Messages that were too long for the socket: their ends were cut off, and ` [...]` put there. */
  readonly cut: number;
}

/** Writes records to the syslog of the host, as syslog(3) does. While that is away or slow they wait. */
export class HostSyslogSink extends EventEmitter<BacklogEvents> implements Sink {
  readonly #path: string;
  readonly #retry: { readonly minMs: number; readonly maxMs: number };
  readonly #closeMs: number;
  readonly #backlog: RecordBacklog;
  #watch: linux.Watch | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Of the last wait for someone to connect to; 0: that is not so. */
  #delay = 0;
  /** The receiver's queue is full, and the watch will tell. */
  #isBlocked = false;
  #isFailing = false;
  #closed: Promise<void> | undefined;
  #drained: PromiseWithResolvers<void> | undefined;
  readonly #counters = { taken: 0, written: 0, bytes: 0, lost: 0, cut: 0 };

  constructor(options: HostSyslogSinkOptions = {}) {
    super();
    const { path = '/dev/log', format = rfc3164Format(), maxMemoryBytes = 1 << 20, closeMs = 2000 } = options;
    this.#path = path;
    this.#retry = options.retry ?? { minMs: 100, maxMs: 10_000 };
    this.#closeMs = closeMs;
    this.#backlog = new RecordBacklog(format, maxMemoryBytes);
  }

  get counters(): HostSyslogCounters {
    return { ...this.#counters };
  }

  write(record: LogRecord): boolean {
    if (this.#closed !== undefined) throw new Error('the sink has been closed: it takes no more records');
    if (!this.#backlog.add(record)) return false;
    this.#counters.taken++;
    this.#sendLater();
    return true;
  }

  ready(): Promise<void> {
    return this.#backlog.ready();
  }

  async flush(): Promise<void> {
    if (this.#backlog.records === 0) return;
    this.#drained ??= Promise.withResolvers();
    await this.#drained.promise;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Unless it waits for something. */
  #sendLater(): void {
    if (this.#timer === undefined && !this.#isBlocked) this.#immediate ??= setImmediate(this.#send);
  }

  readonly #send = (): void => {
    this.#immediate = undefined;
    this.#timer = undefined;
    const backlog = this.#backlog;
    for (let turn = 0; backlog.records > 0; turn++) {
      if (turn === TURN) {
        this.#sendLater();
        return;
      }
      const fd = this.#connected();
      if (fd < 0) return;
      const length = backlog.lengthAt(0);
      let result = linux.send(fd, backlog.bytes, backlog.start, length, MSG_DONTWAIT);
      if (result === -Errno.EMSGSIZE) result = this.#sendCut(fd, length);
      if (result === -Errno.EMSGSIZE) {
        this.#lose(1, `${this.#path} takes no message of that size`);
      } else if (result < 0) {
        this.#refused(result);
        return;
      } else {
        this.#sent(result);
      }
    }
    this.#settle();
  };

  /** @returns a descriptor, -1: there is nobody, and it is tried again later */
  #connected(): number {
    if (this.#watch) return this.#watch.fd;
    const fd = linux.keptSocket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK);
    try {
      linux.connect(fd, { family: 'unix', path: this.#path });
      this.#watch = linux.watch(fd, {}, () => this.#writable());
      return this.#watch.fd;
    } catch (error) {
      this.#reconnectLater(error as Error);
      return -1;
    } finally {
      linux.close(fd);
    }
  }

  #writable(): void {
    this.#watch?.update({});
    this.#isBlocked = false;
    this.#send();
  }

  #refused(result: number): void {
    if (result === -Errno.EAGAIN) {
      this.#isBlocked = true;
      this.#watch?.update({ writable: true });
    } else if (result === -Errno.ENOBUFS || result === -Errno.ENOMEM) {
      this.#timer = setTimeout(this.#send, SHORTAGE_MS);
    } else {
      this.#disconnect();
      this.#reconnectLater(new linux.SystemError(result, 'send', { path: this.#path }));
    }
  }

  #reconnectLater(error: Error): void {
    const { minMs, maxMs } = this.#retry;
    // The first attempt is made at once: most often someone else has taken over.
    this.#timer = setTimeout(this.#send, this.#delay);
    this.#delay = Math.min(maxMs, Math.max(minMs, 2 * this.#delay));
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.emit('failing', error);
  }

  #disconnect(): void {
    this.#watch?.close();
    this.#watch = undefined;
    this.#isBlocked = false;
  }

  #sent(length: number): void {
    this.#backlog.drop(1);
    this.#counters.written++;
    this.#counters.bytes += length;
    this.#delay = 0;
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.emit('recovered');
  }

  /** Makes the message shorter until it has room. @returns as `send` */
  #sendCut(fd: number, length: number): number {
    const { bytes, start } = this.#backlog;
    for (let most = length >> 1; most > CUT.length; most >>= 1) {
      let end = start + most - CUT.length;
      // Not within a character.
      while (end > start && ((bytes[end] as number) & 0xc0) === 0x80) end--;
      bytes.set(CUT, end);
      const result = linux.send(fd, bytes, start, end + CUT.length - start, MSG_DONTWAIT);
      if (result === -Errno.EMSGSIZE) continue;
      if (result >= 0) this.#counters.cut++;
      return result;
    }
    return -Errno.EMSGSIZE;
  }

  #settle(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  #lose(records: number, why: string): void {
    this.#backlog.drop(records);
    this.#counters.lost += records;
    this.emit('lost', records, why);
  }

  async #close(): Promise<void> {
    const deadline = setTimeout(() => this.#settle(), this.#closeMs);
    await this.flush();
    clearTimeout(deadline);
    clearTimeout(this.#timer);
    if (this.#immediate) clearImmediate(this.#immediate);
    this.#disconnect();
    const { records } = this.#backlog;
    if (records > 0) this.#lose(records, `${this.#path} did not take them before the end`);
    this.#backlog.release();
  }
}
