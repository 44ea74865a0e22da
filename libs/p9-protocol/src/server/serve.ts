import type { DuplexLike } from '../byte-stream.ts';
import type { FileSystem } from '../filesystem.ts';
import { HEADER_SIZE } from '../wire/messages.ts';
import type { Connection, ConnectionEnd } from './connection.ts';
import type { ReplyBuffer } from './reply-buffer.ts';
import { type ReplySink, type ServerOptions, Session } from './session.ts';

/**
 * Serves a filesystem to the client at the other end of a stream, on the caller's own event loop. Takes the stream over:
 * it is ended or destroyed with the connection.
 *
 * @param stream any socket, pipe pair or adapted message channel
 * @param fs may serve several connections at once
 */
export function serve(stream: DuplexLike, fs: FileSystem, options: ServerOptions = {}): Connection {
  return new StreamConnection(stream, fs, options);
}

class StreamConnection implements Connection, ReplySink {
  readonly ended: Promise<ConnectionEnd>;
  readonly #resolveEnded: (end: ConnectionEnd) => void;
  readonly #stream: DuplexLike;
  readonly #session: Session;
  /** Received and not yet served; all complete but for the last frame. */
  #chunks: Uint8Array[] = [];
  /** A frame that came in pieces, as far as it is there. */
  #partial = new Uint8Array(HEADER_SIZE);
  #partialEnd = 0;
  /** The stream has enough: nothing is served until it has drained. */
  isBlocked = false;
  #waits = false;
  #end: ConnectionEnd | undefined;
  #isOver = false;

  constructor(stream: DuplexLike, fs: FileSystem, options: ServerOptions) {
    const { promise, resolve } = Promise.withResolvers<ConnectionEnd>();
    this.ended = promise;
    this.#resolveEnded = resolve;
    this.#stream = stream;
    this.#session = new Session(fs, this, options);
    stream.on('data', (chunk) => {
      if (this.#end !== undefined) return;
      this.#chunks.push(chunk);
      this.#pump();
    });
    stream.on('drain', () => {
      this.isBlocked = false;
      this.#pump();
    });
    stream.on('end', () => this.#finish({ reason: 'closed', message: this.#closedMessage() }));
    stream.on('error', (error) => this.#give({ reason: 'transport', message: error.message, error }));
    stream.on('close', () => this.#give({ reason: 'closed', message: this.#closedMessage() }));
  }

  shutdown(): void {
    this.#finish({ reason: 'shutdown', message: 'the server was asked to stop' });
  }

  destroy(): void {
    this.#give({ reason: 'shutdown', message: 'the server ended the connection' });
    this.#stream.destroy();
  }

  send(replies: ReplyBuffer): boolean {
    const { ranges, rangeCount, bytes } = replies;
    for (let i = 0; i < rangeCount; i++) {
      const start = ranges[2 * i] as number;
      const part = bytes.subarray(start, start + (ranges[2 * i + 1] as number));
      const sent = i === rangeCount - 1 ? () => this.#session.recycle(replies) : undefined;
      if (!this.#isOver && !this.#stream.write(part, sent)) this.isBlocked = true;
    }
    return false;
  }

  /** Serves what was received, unless the client does not take replies or too many requests wait. */
  #pump(): void {
    while (this.#chunks.length > 0 && !this.#isOver) {
      if (this.#session.isCongested) break;
      this.#consume(this.#chunks.shift() as Uint8Array);
      if (this.#session.violation !== undefined) {
        const error = this.#session.violation;
        this.#chunks = [];
        this.#finish({ reason: 'protocol', message: error.message, error });
        return;
      }
    }
    const isHeldUp = this.#chunks.length > 0;
    if (isHeldUp) this.#stream.pause();
    else if (this.#end === undefined) this.#stream.resume();
    if (this.#end !== undefined || isHeldUp) this.#pumpLater();
  }

  /** Goes on when a request that waits has been answered; at the end, when all have. */
  #pumpLater(): void {
    if (this.#waits || this.#isOver) return;
    if (this.#end !== undefined && this.#chunks.length === 0 && this.#session.waiting === 0) {
      this.#give(this.#end);
      return;
    }
    if (this.#session.waiting === 0) return;
    this.#waits = true;
    void this.#session.progress().then(() => {
      this.#waits = false;
      this.#pump();
    });
  }

  /** Serves the frames of a chunk. A last piece of a frame goes to `#partial`; what congestion leaves, back to `#chunks`. */
  #consume(chunk: Uint8Array): void {
    let at = 0;
    while (this.#partialEnd > 0 && at < chunk.length) {
      const taken = Math.min(this.#partial.length - this.#partialEnd, chunk.length - at);
      this.#partial.set(chunk.subarray(at, at + taken), this.#partialEnd);
      this.#partialEnd += taken;
      at += taken;
      if (this.#partialEnd < this.#partial.length) return;
      if (!this.#servePartial()) {
        if (at < chunk.length) this.#chunks.splice(1, 0, chunk.subarray(at));
        return;
      }
    }
    if (at === chunk.length) return;
    const view = viewOf(chunk);
    if (!this.#session.isCongested) at = this.#session.receive(chunk, view, at, chunk.length);
    if (this.#session.violation !== undefined || at === chunk.length) return;
    const rest = chunk.subarray(at);
    if (this.#session.isCongested) this.#chunks.unshift(rest);
    else this.#keepPartial(rest);
  }

  /** `#partial` is full: it is a whole frame, or a header that tells how much is to come. False: nothing behind it can be served now. */
  #servePartial(): boolean {
    const partial = this.#partial;
    this.#partialEnd = 0;
    const consumed = this.#session.receive(partial, viewOf(partial), 0, partial.length);
    if (this.#session.violation !== undefined) return false;
    if (consumed === partial.length) return true;
    if (this.#session.isCongested) {
      this.#chunks.unshift(partial);
      return false;
    }
    this.#keepPartial(partial);
    return true;
  }

  /** The first bytes of a frame whose size, once known, `receive` has found to be no more than msize. */
  #keepPartial(bytes: Uint8Array): void {
    const size = bytes.length < HEADER_SIZE ? HEADER_SIZE : viewOf(bytes).getUint32(0, true);
    this.#partial = new Uint8Array(size);
    this.#partial.set(bytes);
    this.#partialEnd = bytes.length;
  }

  #closedMessage(): string {
    return this.#partialEnd > 0 ? 'the client hung up in the middle of a request' : 'the client hung up';
  }

  /** Ends when everything received has been answered. */
  #finish(end: ConnectionEnd): void {
    this.#end ??= end;
    this.#stream.pause();
    this.#pump();
  }

  /** Ends now. */
  #give(end: ConnectionEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#end ??= end;
    this.#chunks = [];
    this.#session.close();
    // Destroyed behind the last reply: nobody reads any more, so the peer's end would not be noticed.
    this.#stream.end(() => this.#stream.destroy());
    this.#resolveEnded(this.#end);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
