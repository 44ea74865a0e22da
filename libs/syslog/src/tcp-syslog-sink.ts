import { EventEmitter } from 'node:events';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { octetCounted } from './framed-format.ts';
import type { LogRecord } from './record.ts';
import { type BacklogEvents, type BacklogOptions, RecordBacklog } from './record-backlog.ts';
import { rfc5424Format } from './rfc5424-format.ts';
import type { RecordFormat, Sink, SinkCounters } from './sink.ts';

/** Bytes that are given to the socket at once. */
const CHUNK = 64 << 10;
const KEEP_ALIVE_MS = 30_000;
/** A connection that nothing was sent on for so long, and that its other end closes in order, has brought everything. */
const QUIET_MS = 1000;

export interface TcpSyslogSinkOptions extends BacklogOptions {
  /** Name or address of the receiver. */
  readonly host: string;
  /** Default 514, with TLS 6514. */
  readonly port?: number;
  /** With TLS (RFC 5425): `ca`, `cert`, `key` and what else tls.connect takes; `true` for the usual authorities. Default: none. */
  readonly tls?: ConnectionOptions | true;
  /** How records are written; the sink counts the octets. Default `rfc5424Format` with the name of this host. */
  readonly format?: RecordFormat;
  /** What is held, sent or not. Default 4 MiB. */
  readonly maxMemoryBytes?: number;
  /**
   * How much of what was sent last is held, and sent once more on the next connection when this one breaks: the protocol has no answers, and what was in the
   * receiver's buffers then is gone. Less may lose records there, more repeats more of them. Default 256 KiB.
   */
  readonly replayBytes?: number;
  /** How long a connection may take to be made, in milliseconds. Default 10,000. */
  readonly connectMs?: number;
}

export interface TcpSyslogCounters extends SinkCounters {
  /** Records that were sent once more, since a connection broke behind them. `bytes` counts them each time. */
  readonly repeated: number;
  /** Connections that were made. */
  readonly connections: number;
}

/**
 * Sends records to a syslog server by TCP or TLS, in the format of RFC 5424 and with their octets counted (RFC 6587, RFC 5425). While there is no connection
 * they wait. `written` are those that the kernel has taken for a connection.
 */
export class TcpSyslogSink extends EventEmitter<BacklogEvents> implements Sink {
  readonly #options: TcpSyslogSinkOptions;
  readonly #retry: { readonly minMs: number; readonly maxMs: number };
  readonly #replayBytes: number;
  /** What was sent last, and behind it what is to be sent. */
  readonly #backlog: RecordBacklog;
  /** Of the backlog, on this connection. */
  #sentRecords = 0;
  #sentBytes = 0;
  /** Of the backlog, on any connection. */
  #countedRecords = 0;
  #socket: Socket | undefined;
  #isConnected = false;
  /** The socket has a chunk that the kernel has not taken yet. */
  #isWriting = false;
  #sentAt = 0;
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #delay = 0;
  #isFailing = false;
  #isClosing = false;
  #closed: Promise<void> | undefined;
  #drained: PromiseWithResolvers<void> | undefined;
  /** Resolves when the receiver has closed behind us, in order. */
  readonly #ended = Promise.withResolvers<void>();
  readonly #counters = { taken: 0, written: 0, bytes: 0, lost: 0, repeated: 0, connections: 0 };

  constructor(options: TcpSyslogSinkOptions) {
    super();
    const {
      format = rfc5424Format({ hostname: hostname() }),
      maxMemoryBytes = 4 << 20,
      replayBytes = 256 << 10,
    } = options;
    this.#options = options;
    this.#retry = options.retry ?? { minMs: 100, maxMs: 10_000 };
    this.#replayBytes = Math.min(replayBytes, maxMemoryBytes / 2);
    this.#backlog = new RecordBacklog(octetCounted(format), maxMemoryBytes);
  }

  get counters(): TcpSyslogCounters {
    return { ...this.#counters };
  }

  write(record: LogRecord): boolean {
    if (this.#isClosing) throw new Error('the sink has been closed: it takes no more records');
    if (!this.#backlog.add(record)) return false;
    this.#counters.taken++;
    this.#immediate ??= setImmediate(this.#go);
    return true;
  }

  ready(): Promise<void> {
    return this.#backlog.ready();
  }

  async flush(): Promise<void> {
    if (this.#isDrained) return;
    this.#drained ??= Promise.withResolvers();
    await this.#drained.promise;
  }

  /** Waits until the receiver has read everything and closed its end; a connection that breaks meanwhile is made anew, while there is time. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #isDrained(): boolean {
    return this.#countedRecords === this.#backlog.records;
  }

  readonly #go = (): void => {
    this.#immediate = undefined;
    if (!this.#socket && this.#timer === undefined) this.#connect();
    this.#sendNext();
  };

  #connect(): void {
    const { host, tls, connectMs = 10_000 } = this.#options;
    const port = this.#options.port ?? (tls ? 6514 : 514);
    const settings = tls === true ? {} : tls;
    const socket = settings
      ? connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...settings })
      : connectTcp({ host, port });
    this.#socket = socket;
    let failure: Error | undefined;
    let hasEnded = false;
    const late = setTimeout(
      () => socket.destroy(new Error(`no connection to ${host}:${port} in ${connectMs} ms`)),
      connectMs,
    );
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    // It has nothing to say, and its end is to be noticed.
    socket.resume();
    socket.on('error', (error) => {
      failure ??= error;
    });
    socket.on('end', () => {
      hasEnded = true;
    });
    socket.on('close', () => {
      clearTimeout(late);
      if (socket !== this.#socket) return;
      const why = failure ?? new Error(`${host}:${port} has ended the connection`);
      this.#disconnected(why, hasEnded && failure === undefined);
    });
    socket.once(settings ? 'secureConnect' : 'connect', () => {
      clearTimeout(late);
      this.#connected();
    });
  }

  #connected(): void {
    this.#isConnected = true;
    this.#counters.connections++;
    this.#delay = 0;
    if (this.#isFailing) {
      this.#isFailing = false;
      this.emit('recovered');
    }
    this.#sendNext();
  }

  #disconnected(why: Error, isInOrder: boolean): void {
    const wasAsked = this.#isClosing && this.#isDrained;
    this.#socket = undefined;
    this.#isConnected = false;
    this.#isWriting = false;
    if (isInOrder && (wasAsked || Date.now() - this.#sentAt > QUIET_MS)) this.#forget(this.#sentRecords);
    this.#counters.repeated += Math.min(this.#sentRecords, this.#countedRecords);
    this.#sentRecords = 0;
    this.#sentBytes = 0;
    if (this.#backlog.records === 0 || (wasAsked && isInOrder)) {
      this.#ended.resolve();
      return;
    }
    if (!this.#isFailing) {
      this.#isFailing = true;
      this.emit('failing', why);
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#go();
    }, this.#delay);
    const { minMs, maxMs } = this.#retry;
    this.#delay = Math.min(maxMs, Math.max(minMs, 2 * this.#delay));
  }

  #sendNext(): void {
    const socket = this.#socket;
    if (!socket || !this.#isConnected || this.#isWriting) return;
    const backlog = this.#backlog;
    let records = 0;
    let bytes = 0;
    while (this.#sentRecords + records < backlog.records && bytes < CHUNK) {
      bytes += backlog.lengthAt(this.#sentRecords + records);
      records++;
    }
    if (records === 0) {
      if (this.#isClosing) socket.end();
      return;
    }
    this.#isWriting = true;
    const from = backlog.start + this.#sentBytes;
    // The backlog may move before the socket has written it.
    const chunk = Buffer.from(backlog.bytes.subarray(from, from + bytes));
    socket.write(chunk, (error) => {
      if (error || socket !== this.#socket) return;
      this.#isWriting = false;
      this.#sent(records, bytes);
      this.#sendNext();
    });
  }

  #sent(records: number, bytes: number): void {
    this.#sentAt = Date.now();
    this.#sentRecords += records;
    this.#sentBytes += bytes;
    const written = Math.max(0, this.#sentRecords - this.#countedRecords);
    this.#countedRecords += written;
    this.#counters.written += written;
    this.#counters.bytes += bytes;
    let old = 0;
    for (let held = this.#sentBytes; held > this.#replayBytes; old++) held -= this.#backlog.lengthAt(old);
    this.#forget(old);
    if (this.#isDrained) this.#settle();
  }

  /** They have been sent, and will not be sent again. */
  #forget(records: number): void {
    for (let i = 0; i < records; i++) this.#sentBytes -= this.#backlog.lengthAt(i);
    this.#sentRecords -= records;
    this.#countedRecords -= records;
    this.#backlog.drop(records);
  }

  #settle(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  async #close(): Promise<void> {
    this.#isClosing = true;
    const deadline = setTimeout(() => {
      this.#settle();
      this.#ended.resolve();
    }, this.#options.closeMs ?? 2000);
    await this.flush();
    // What was sent is to be read, too.
    this.#sendNext();
    if (this.#socket || this.#timer) await this.#ended.promise;
    clearTimeout(deadline);
    clearTimeout(this.#timer);
    if (this.#immediate) clearImmediate(this.#immediate);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
    const lost = this.#backlog.records - this.#countedRecords;
    if (lost > 0) {
      this.#counters.lost += lost;
      this.emit('lost', lost, `${this.#options.host} did not take them before the end`);
    }
    this.#backlog.drop(this.#backlog.records);
    this.#backlog.release();
  }
}
