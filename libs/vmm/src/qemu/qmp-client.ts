import type { Duplex } from 'node:stream';
import { QmpError } from '../errors.ts';

/** An asynchronous message of QEMU, such as `SHUTDOWN` or `STOP`. */
export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Milliseconds since 1970. */
  readonly time: number;
}

interface Pending {
  readonly command: string;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Events that one slow reader may leave unread; then it loses the oldest. */
const EVENTS_KEPT = 1024;
/** No message of QEMU comes near it; a stream that never ends a line is not QMP. */
const LONGEST_MESSAGE = 16 << 20;

/** QEMU Machine Protocol: commands answered by id, events. Source: QEMU docs/interop/qmp-spec. */
export class QmpClient {
  readonly #stream: Duplex;
  readonly #pending = new Map<number, Pending>();
  readonly #readers = new Set<EventQueue>();
  #greet: () => void = () => undefined;
  readonly #greeting = new Promise<void>((resolve) => {
    this.#greet = resolve;
  });
  #received: string[] = [];
  #receivedLength = 0;
  #nextId = 0;
  #closed: string | undefined;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => this.#receive(text));
    stream.on('error', (error) => this.#end(error.message));
    stream.on('close', () => this.#end('the connection is closed'));
    stream.on('end', () => this.#end('QEMU closed the connection'));
  }

  /** Awaits the greeting and leaves negotiation mode; must come before any command. */
  async negotiate(): Promise<void> {
    await Promise.race([this.#greeting, this.#closing('qmp_capabilities')]);
    await this.execute('qmp_capabilities');
  }

  /** Resolves with what QEMU returns; rejects with a QmpError. Safe to call many at once. */
  execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown> {
    if (this.#closed !== undefined) return Promise.reject(new QmpError(command, 'Closed', this.#closed));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { command, resolve, reject });
      this.#stream.write(`${JSON.stringify({ execute: command, arguments: args, id })}\r\n`);
    });
  }

  /** Events from now on, until the VM ends or the signal fires; both end the iteration without an error. */
  events(options: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<QmpEvent> {
    const queue = new EventQueue(() => this.#readers.delete(queue));
    this.#readers.add(queue);
    if (this.#closed !== undefined || options.signal?.aborted) queue.end();
    options.signal?.addEventListener('abort', () => queue.end(), { once: true });
    return queue;
  }

  async #closing(command: string): Promise<never> {
    for await (const _ of this.events());
    throw new QmpError(command, 'Closed', this.#closed ?? 'the connection is closed');
  }

  #receive(text: string): void {
    let rest = text;
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      this.#received.push(rest.slice(0, end));
      this.#message(this.#received.join(''));
      this.#received = [];
      this.#receivedLength = 0;
      rest = rest.slice(end + 1);
    }
    this.#received.push(rest);
    this.#receivedLength += rest.length;
    if (this.#receivedLength > LONGEST_MESSAGE) this.#fail('a message longer than 16 MiB');
  }

  #message(line: string): void {
    let message: Record<string, unknown>;
    try {
      message = JSON.parse(line) as Record<string, unknown>;
    } catch {
      this.#fail(`not JSON: ${line.slice(0, 200)}`);
      return;
    }
    if ('QMP' in message) this.#greet();
    else if ('event' in message) this.#event(message);
    else this.#answer(message);
  }

  #event({ event, data, timestamp }: Record<string, unknown>): void {
    const { seconds = 0, microseconds = 0 } = (timestamp ?? {}) as Record<string, number>;
    const time = seconds * 1000 + microseconds / 1000;
    const value = { event: String(event), data: (data ?? {}) as QmpEvent['data'], time };
    for (const reader of this.#readers) reader.push(value);
  }

  #answer(message: Record<string, unknown>): void {
    const pending = this.#pending.get(message['id'] as number);
    if (!pending) return;
    this.#pending.delete(message['id'] as number);
    const error = message['error'] as { class?: string; desc?: string } | undefined;
    if (!error) pending.resolve(message['return']);
    else
      pending.reject(new QmpError(pending.command, error.class ?? 'Unknown', error.desc ?? 'no description'));
  }

  #fail(why: string): void {
    this.#stream.destroy();
    this.#end(why);
  }

  #end(why: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = why;
    for (const { command, reject } of this.#pending.values()) reject(new QmpError(command, 'Closed', why));
    this.#pending.clear();
    for (const reader of this.#readers) reader.end();
  }
}

class EventQueue implements AsyncIterableIterator<QmpEvent> {
  readonly #events: QmpEvent[] = [];
  readonly #waiting: ((result: IteratorResult<QmpEvent>) => void)[] = [];
  readonly #onEnd: () => void;
  #ended = false;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  push(event: QmpEvent): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting({ value: event, done: false });
    else if (this.#events.push(event) > EVENTS_KEPT) this.#events.shift();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd();
    for (const waiting of this.#waiting.splice(0)) waiting({ value: undefined, done: true });
  }

  next(): Promise<IteratorResult<QmpEvent>> {
    const event = this.#events.shift();
    if (event) return Promise.resolve({ value: event, done: false });
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  return(): Promise<IteratorResult<QmpEvent>> {
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
