import type { DuplexLike } from '../byte-stream.ts';
import { P9Error } from '../errno.ts';
import { decode, encode } from '../wire/codec.ts';
import { HEADER_SIZE, type Message, NOTAG, VERSION } from '../wire/messages.ts';
import { WireError } from '../wire/wire-error.ts';
import { ConnectionError, type ConnectionErrorCode } from './connection-error.ts';
import { Exchange } from './exchange.ts';
import { FrameSplitter } from './frame-splitter.ts';
import { Outbox } from './outbox.ts';
import type { CallOptions, Reply, Request } from './request.ts';
import { FLUSH_TAG, Tags } from './tags.ts';

/** Least msize with which a session makes sense; Linux's client refuses less as well (net/9p/client.c). */
export const MIN_MSIZE = 4096;
export const DEFAULT_MSIZE = 128 * 1024;

/**
 * The client's end of a connection: requests out, replies in. Requests are pipelined: any number may be pending, replies come in any order.
 *
 * It knows the messages and nothing of fids or files; those are `Client`'s. Useful by itself to say exactly what goes over the wire.
 */
export class RawClient {
  readonly #stream: DuplexLike;
  readonly #splitter: FrameSplitter;
  readonly #tags = new Tags();
  readonly #outbox: Outbox;
  #ended: ConnectionError | undefined;
  #resolveClosed: ((reason: ConnectionError) => void) | undefined;

  /** Resolves, never rejects, with the reason when the connection is over. */
  readonly closed: Promise<ConnectionError>;

  /** @param options.msize most bytes of one message in either direction, until `negotiate` settles it */
  constructor(stream: DuplexLike, options: { msize?: number } = {}) {
    this.#stream = stream;
    this.#splitter = new FrameSplitter(options.msize ?? DEFAULT_MSIZE);
    this.#outbox = new Outbox(stream, this.#tags, (error) => this.#streamFailed(error));
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    stream.on('data', (chunk) => this.#receive(chunk));
    stream.on('end', () => this.#streamEnded('the peer ended the stream'));
    stream.on('close', () => this.#streamEnded('the stream was closed'));
    stream.on('error', (error) => this.#streamFailed(error));
  }

  /** Most bytes of one message, in either direction. */
  get msize(): number {
    return this.#splitter.maxSize;
  }

  /** Tags in use and requests waiting for one: 0 when nothing is left to come. */
  get pending(): number {
    return this.#tags.size + this.#outbox.size;
  }

  /**
   * Tversion: begins a session (which ends the previous one and all its fids) and settles msize, at most the present one.
   * Rejects with ConnectionError, and the connection is over, when the peer does not speak 9P2000.L.
   */
  async negotiate(options: CallOptions = {}): Promise<number> {
    const wanted = this.msize;
    const version = new TextEncoder().encode(VERSION);
    const reply = await this.call({ message: 'Tversion', msize: wanted, version }, options);
    const answered = new TextDecoder().decode(reply.version);
    if (answered !== VERSION) {
      throw this.#fail('ERR_P9_VERSION', `the peer speaks ${JSON.stringify(answered)}, not ${VERSION}`);
    }
    const least = Math.min(MIN_MSIZE, wanted);
    if (reply.msize > wanted || reply.msize < least) {
      const text = `the peer answered msize ${reply.msize}, which is not from ${least} to ${wanted}`;
      throw this.#fail('ERR_P9_VERSION', text);
    }
    this.#splitter.maxSize = reply.msize;
    return reply.msize;
  }

  /**
   * Sends a request and gives its reply, whose strings and data are views of received memory.
   *
   * Rejects with P9Error for an Rlerror, with WireError for a request that cannot be encoded in msize bytes, with the signal's reason when that aborts, and with
   * ConnectionError when the connection is over. Tversion cannot be flushed: when its signal aborts, the connection ends.
   */
  call<R extends Request>(request: R, options: CallOptions = {}): Promise<Reply<R>> {
    const { signal } = options;
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (signal?.aborted) return Promise.reject(signal.reason);
    let frame: Uint8Array;
    try {
      frame = encode({ ...request, tag: NOTAG } as Message);
      if (frame.length > this.msize) throw tooLong(request, frame.length, this.msize);
    } catch (error) {
      return Promise.reject(error);
    }
    const exchange = new Exchange(frame, request, {
      tag: request.message === 'Tversion' ? NOTAG : undefined,
      signal: signal && { from: signal, cancel: (cancelled, reason) => this.#cancel(cancelled, reason) },
    });
    this.#outbox.add(exchange);
    return exchange.reply as Promise<Reply<R>>;
  }

  /**
   * Sends a frame as it is, well formed or not, and gives whatever message answers the tag in its bytes 5 and 6, an Rlerror as any other.
   * The tag must not be in use: `call` uses those below 32768, in turn, and for Tflush those above.
   */
  exchange(frame: Uint8Array): Promise<Message> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (frame.length < HEADER_SIZE) {
      return Promise.reject(new RangeError(`a frame of ${frame.length} bytes has no tag`));
    }
    const tag = new DataView(frame.buffer, frame.byteOffset).getUint16(5, true);
    const exchange = new Exchange(frame, undefined, { tag });
    this.#outbox.add(exchange);
    return exchange.reply;
  }

  /** Sends bytes as they are, at once, without expecting anything for them. */
  sendBytes(bytes: Uint8Array): void {
    if (this.#ended === undefined) this.#outbox.write(bytes);
  }

  /** Gives the connection up: what is pending rejects with ConnectionError. The server then ends all fids of the connection. */
  close(): void {
    this.#fail('ERR_P9_CLOSED', 'the connection was closed on this side');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  // Cancelling

  #cancel(exchange: Exchange, reason: unknown): void {
    if (this.#outbox.remove(exchange)) {
      exchange.reject(reason);
    } else if (exchange.tag === NOTAG) {
      exchange.reject(reason);
      this.#fail('ERR_P9_CLOSED', 'the connection was given up while its version was settled', reason);
    } else if (exchange.tag !== undefined && !exchange.flushing) {
      exchange.flushing = true;
      void this.#flush(exchange, exchange.tag, reason);
    }
  }

  /**
   * flush(5): the tag of a flushed request stays in use until Rflush has come, and a reply that comes before that counts, as the server has then
   * done what was asked. (Linux does the same: p9_client_flush and p9_client_rpc in net/9p/client.c.)
   */
  async #flush(exchange: Exchange, oldtag: number, reason: unknown): Promise<void> {
    const tag = oldtag | FLUSH_TAG;
    const request = { message: 'Tflush', oldtag } as const;
    const flush = new Exchange(encode({ ...request, tag }), request, { tag });
    this.#outbox.addUrgent(flush);
    try {
      await flush.reply;
      exchange.reject(reason);
    } catch {
      // Flush never fails by flush(5), yet there are servers without it: what cannot be cancelled ends with its reply.
      exchange.flushing = false;
      if (!exchange.settled) return;
    }
    this.#tags.release(oldtag);
    this.#outbox.schedule();
  }

  // Receiving

  #receive(chunk: Uint8Array): void {
    try {
      this.#splitter.push(chunk, (frame) => this.#take(frame));
    } catch (error) {
      this.#badReply(error instanceof Error ? error.message : String(error), error);
    }
  }

  #take(frame: Uint8Array): void {
    if (this.#ended !== undefined) return;
    const reply = decode(frame);
    const exchange = this.#tags.get(reply.tag);
    if (exchange === undefined || exchange.settled || !exchange.accepts(reply)) {
      this.#badReply(`${reply.message} with tag ${reply.tag}: ${whyUnwanted(exchange)}`);
      return;
    }
    if (!exchange.flushing) this.#tags.release(reply.tag);
    if (reply.message === 'Rlerror' && !exchange.isRaw) {
      exchange.reject(new P9Error(reply.ecode, exchange.description));
    } else {
      exchange.resolve(reply);
    }
    this.#outbox.schedule();
  }

  #badReply(what: string, cause?: unknown): void {
    this.#fail(
      'ERR_P9_BAD_REPLY',
      `bad reply at byte ${this.#splitter.position} of the stream: ${what}`,
      cause,
    );
  }

  // The end

  #streamFailed(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    this.#fail('ERR_P9_STREAM', `the stream failed: ${text}`, error);
  }

  #streamEnded(how: string): void {
    const { unfinished, position } = this.#splitter;
    const where = unfinished === undefined ? '' : `, in the middle of a message: ${unfinished}`;
    this.#fail('ERR_P9_STREAM_END', `${how} after ${position} bytes of replies${where}`);
  }

  /** Ends the connection, unless that has happened before, and gives the reason why it ended. */
  #fail(code: ConnectionErrorCode, message: string, cause?: unknown): ConnectionError {
    if (this.#ended !== undefined) return this.#ended;
    const error = new ConnectionError(code, message, cause === undefined ? undefined : { cause });
    this.#ended = error;
    for (const exchange of [...this.#tags.clear(), ...this.#outbox.clear()]) exchange.reject(error);
    this.#stream.destroy();
    this.#resolveClosed?.(error);
    return error;
  }
}

function whyUnwanted(exchange: Exchange | undefined): string {
  if (exchange === undefined) return 'no request has this tag';
  return exchange.settled ? `${exchange.name} was answered before` : `not the reply to ${exchange.name}`;
}

function tooLong(request: Request, size: number, msize: number): WireError {
  return new WireError('ERR_P9_FRAME_SIZE', {
    offset: 0,
    messageName: request.message,
    expected: `at most ${msize} bytes (msize)`,
    found: `${size}`,
  });
}
