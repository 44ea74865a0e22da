import { Errno, errnoOf } from '../errno.ts';
import type { FileSystem } from '../filesystem.ts';
import { isKnownType, isWellFormed, leastSizeOf, offsetsOf } from '../wire/layout.ts';
import { HEADER_SIZE, MessageType, NOTAG, VERSION } from '../wire/messages.ts';
import type { Answer } from './answer.ts';
import { DATA_OFFSET } from './file-operations.ts';
import { operate } from './operations.ts';
import { ReplyBuffer } from './reply-buffer.ts';
import { Request } from './request.ts';
import { SessionFids } from './session-fids.ts';

/** Most bytes of a message (msize) unless the client asks for less. */
export const DEFAULT_MSIZE = 1 << 20;
/** A client that asks for less than this is refused: the largest fixed reply and a name must fit. */
export const LEAST_MSIZE = 256;
/** At this size or less, most time goes into headers and round trips: worth a warning. */
export const SMALL_MSIZE = 8192;

export interface ServerOptions {
  /** Most bytes of a message, 256 to 2^30; the client may ask for less. Default 1 MiB. */
  msize?: number;
  /** Most fids of a connection; further ones are refused with ENFILE. Default 262,144. */
  maxFids?: number;
  /** Most requests of a connection that wait for promises; reading stops at that. Default 1,024. */
  maxPending?: number;
  /** Told of what is odd but no error, in one sentence. */
  onWarning?: (message: string) => void;
}

/** What ends a connection because its stream cannot be understood any more. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code = 'ERR_P9_PROTOCOL';
}

/** Takes the replies of a session. */
export interface ReplySink {
  /** Sends all replies of the batch. False: it keeps the buffer for now, and gives it back with `Session.recycle`. */
  send(replies: ReplyBuffer): boolean;
  /** Memory for replies, for a transport that wants it somewhere in particular. */
  allocate?(size: number): Uint8Array;
  /** The client does not take what was sent: no more requests are served for now. */
  readonly isBlocked: boolean;
  /** Whether the transport takes the last replies of each `receive` itself: it sends `Session.replies` and resets them, or has `flush` do it. */
  readonly takesLast?: boolean;
}

/** A request that waits for a promise. */
interface Pending {
  readonly request: Request;
  /** Tags of Tflush that wait for the request to be over, and of Tflush that wait for one of these. */
  readonly flushes: number[];
}

/** Most empty reply buffers kept for use again. */
const SPARE_BUFFERS = 4;
/** Room for replies that batch up before they are sent, beyond one of msize. */
const BATCH_SIZE = 1 << 18;
/** A request that waits gets a reply buffer of its own: this much, unless it asks for data. */
const OWN_REPLY_SIZE = 8192;

const Tversion = offsetsOf('Tversion');
const Tflush = offsetsOf('Tflush');
const COUNT_OFFSET = offsetsOf('Tread').count;

/** The size of a reply buffer in which a batch of replies of up to msize bytes fits. */
export function replyCapacity(msize: number): number {
  return msize + Math.max(msize, BATCH_SIZE);
}

/**
 * One connection's protocol: frames in, replies out. It knows nothing of sockets: the transport hands received bytes to
 * `receive` and sends what it gets as `ReplySink`.
 *
 * A request is read in place, its reply is written in place. When the filesystem answers with a promise, request and
 * reply keep the buffers they lie in until it settles, and the session goes on with fresh ones; later requests of that type are
 * given small buffers of their own from the start, since they will probably wait too.
 */
export class Session {
  readonly #fs: FileSystem;
  readonly #sink: ReplySink;
  readonly #options: Required<Omit<ServerOptions, 'onWarning'>>;
  readonly #warn: (message: string) => void;
  #fids: SessionFids | undefined;
  #msize: number;
  #reply: ReplyBuffer;
  readonly #spare: ReplyBuffer[] = [];
  #request = new Request();
  /** By their tags, and by those of what flushes them. */
  #pending = new Map<number, Pending>();
  /** Pending requests of this and earlier sessions of the connection. */
  #waiting = 0;
  readonly #waits = new Uint8Array(256);
  #onProgress: (() => void)[] = [];
  #closed = false;

  /** Set when a request went on waiting in the buffer given to `receive`: the transport must go on with another one. */
  inputRetained = false;
  /** Why the last `receive` gave up; the connection must end, after the replies so far were sent. */
  violation: ProtocolError | undefined;

  constructor(fs: FileSystem, sink: ReplySink, options: ServerOptions = {}) {
    this.#fs = fs;
    this.#sink = sink;
    const { msize = DEFAULT_MSIZE, maxFids = 1 << 18, maxPending = 1024 } = options;
    if (!Number.isInteger(msize) || msize < LEAST_MSIZE || msize > 1 << 30) {
      throw new RangeError(`msize must be a whole number from ${LEAST_MSIZE} to ${1 << 30}, not ${msize}`);
    }
    this.#options = { msize, maxFids, maxPending };
    this.#warn = (message) => options.onWarning?.(message);
    this.#msize = msize;
    this.#reply = new ReplyBuffer(new Uint8Array(OWN_REPLY_SIZE));
  }

  /** Most bytes of a message: the option's until the version is negotiated. */
  get msize(): number {
    return this.#msize;
  }

  /** How many requests wait for promises. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Whether nothing is served until replies are taken or promises settle. */
  get isCongested(): boolean {
    return this.#sink.isBlocked || this.#waiting >= this.#options.maxPending;
  }

  /**
   * Serves all complete frames in bytes[start, end), and sends their replies. `view` looks at the same bytes, from the same first one.
   *
   * @returns where the first incomplete frame begins, or under congestion the first frame not served. When `violation` is set, the rest of the stream means nothing.
   */
  receive(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    while (end - start >= HEADER_SIZE && !this.isCongested) {
      const size = view.getUint32(start, true);
      if (size < HEADER_SIZE || size > this.#msize) {
        this.violation = new ProtocolError(
          size < HEADER_SIZE
            ? `a frame claims to be ${size} bytes long, less than its header of ${HEADER_SIZE}`
            : `a frame claims to be ${size} bytes long, more than the msize of ${this.#msize}`,
        );
        break;
      }
      if (end - start < size) break;
      this.#serve(bytes, view, start, start + size);
      start += size;
    }
    if (this.#sink.takesLast !== true) this.flush();
    return start;
  }

  /** What is not sent yet. */
  get replies(): ReplyBuffer {
    return this.#reply;
  }

  /** Settles when a request that waits is answered; at once if none waits. */
  progress(): Promise<void> {
    if (this.#waiting === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onProgress.push(resolve));
  }

  /** Ends every fid. Requests that still wait are not answered any more. */
  close(): void {
    this.#closed = true;
    this.#endSession();
  }

  /** Ends every fid; what waits is told that nobody does any more. */
  #endSession(): void {
    this.#fids?.close();
    this.#fids = undefined;
    const pending = this.#pending;
    this.#pending = new Map();
    for (const { request } of pending.values()) request.abort();
  }

  #serve(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const type = view.getUint8(start + 4);
    if (this.#waits[type] !== 0) {
      this.#serveApart(bytes.slice(start, end));
      return;
    }
    const request = this.#request;
    const reply = this.#room(this.#fids === undefined ? LEAST_MSIZE : this.#msize);
    request.at(bytes, view, start, end);
    reply.begin();
    const answer = this.#answer(request, reply);
    if (typeof answer === 'number') {
      this.#finish(request, reply, answer);
      return;
    }
    this.#waits[type] = 1;
    this.inputRetained = true;
    this.#request = new Request();
    this.#reply = reply.splitFinished(this.#newReply(reply.bytes.length));
    this.#wait(request, reply, answer);
  }

  /** The reply buffer, with room for a message of `size` bytes. */
  #room(size: number): ReplyBuffer {
    if (this.#reply.fits(size)) return this.#reply;
    this.flush();
    if (!this.#reply.fits(size)) this.#reply = this.#newReply(replyCapacity(size));
    return this.#reply;
  }

  /** Sends what is not sent yet. */
  flush(): void {
    const replies = this.#reply;
    if (replies.isEmpty) return;
    if (this.#sink.send(replies)) replies.reset();
    else this.#reply = this.#spare.pop() ?? this.#newReply(replies.bytes.length);
  }

  #newReply(capacity: number): ReplyBuffer {
    return new ReplyBuffer(this.#sink.allocate?.(capacity) ?? new Uint8Array(capacity));
  }

  /** Takes back a buffer that the sink kept. */
  recycle(replies: ReplyBuffer): void {
    const isOfUse = replies.bytes.length === this.#reply.bytes.length && this.#spare.length < SPARE_BUFFERS;
    replies.reset();
    if (isOfUse) this.#spare.push(replies);
  }

  /** Serves a request of a type that has waited before, in buffers of its own. */
  #serveApart(frame: Uint8Array): void {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    const request = new Request();
    request.at(frame, view, 0, frame.length);
    const reply = this.#newReply(this.#ownReplySize(request));
    reply.begin();
    const answer = this.#answer(request, reply);
    if (typeof answer !== 'number') {
      this.#wait(request, reply, answer);
      return;
    }
    this.#finish(request, reply, answer);
    this.flush();
    this.#sink.send(reply);
  }

  #ownReplySize(request: Request): number {
    const { type } = request;
    const hasCount = type === MessageType.Tread || type === MessageType.Treaddir;
    if (!hasCount || request.end - request.start < COUNT_OFFSET + 4) return OWN_REPLY_SIZE;
    return DATA_OFFSET + Math.min(request.u32(COUNT_OFFSET), this.#msize) + 64;
  }

  #wait(request: Request, reply: ReplyBuffer, answer: Promise<number>): void {
    const pending: Pending = { request, flushes: [] };
    const inSession = this.#pending;
    inSession.set(request.tag, pending);
    this.#waiting++;
    void answer
      .catch((error: unknown) => -errnoOf(error))
      .then((size) => {
        this.#waiting--;
        if (this.#closed || inSession !== this.#pending) return;
        inSession.delete(request.tag);
        // What was flushed and not done is not answered: it is as if it had never been asked for (flush(5)).
        if (size > 0 || pending.flushes.length === 0) {
          this.#finish(request, reply, size);
          this.#sink.send(reply);
        }
        for (const tag of pending.flushes) {
          inSession.delete(tag);
          const flushed = this.#room(HEADER_SIZE);
          flushed.begin();
          flushed.finish(MessageType.Rflush, tag, HEADER_SIZE);
        }
        this.flush();
      })
      .finally(() => {
        for (const resolve of this.#onProgress.splice(0)) resolve();
      });
  }

  #finish(request: Request, reply: ReplyBuffer, answer: number): void {
    // A filesystem that answers nonsense must not leave its client without an answer.
    if (!Number.isInteger(answer)) reply.fail(request.tag, Errno.EIO);
    else if (answer > this.#msize) reply.fail(request.tag, Errno.EMSGSIZE);
    else if (answer > 0) reply.finish(request.type + 1, request.tag, answer);
    else if (answer < 0) reply.fail(request.tag, -answer);
  }

  /** The size of the reply, a negative errno, or a promise of either. */
  #answer(request: Request, reply: ReplyBuffer): Answer {
    const { type, tag } = request;
    if (!isKnownType(type)) return -Errno.EOPNOTSUPP;
    if (!isWellFormed(type, request.view, request.start, request.end)) return -Errno.EINVAL;
    if (this.#pending.size > 0 && this.#pending.has(tag)) return -Errno.EINVAL;
    try {
      if (type === MessageType.Tversion) return this.#version(request, reply);
      if (type === MessageType.Tflush) return this.#flush(request);
      // No session yet: nothing but Tversion means anything (version(5)).
      if (this.#fids === undefined) return -Errno.EPROTO;
      return operate(this.#fids, request, reply);
    } catch (error) {
      return -errnoOf(error);
    }
  }

  /** Begins a new session: all fids and pending requests of the one before are gone (version(5)). */
  #version(request: Request, reply: ReplyBuffer): Answer {
    const asked = request.u32(Tversion.msize);
    if (asked < LEAST_MSIZE) return -Errno.EINVAL;
    this.#endSession();
    this.#msize = Math.min(asked, this.#options.msize);
    request.string(Tversion.version, request.first);
    let version = 'unknown';
    if (request.first.toString() === VERSION) {
      version = VERSION;
      this.#fids = new SessionFids(this.#fs, {
        msize: this.#msize,
        maxFids: this.#options.maxFids,
        warn: this.#warn,
      });
      if (this.#msize <= SMALL_MSIZE) {
        this.#warn(
          `the client negotiated an msize of ${this.#msize} bytes: most time will go into round trips; mount with msize=${DEFAULT_MSIZE}`,
        );
      }
    }
    if (request.tag !== NOTAG)
      this.#warn(`the client sent Tversion with tag ${request.tag} instead of NOTAG`);
    reply.u32(HEADER_SIZE, this.#msize);
    reply.u16(HEADER_SIZE + 4, version.length);
    for (let i = 0; i < version.length; i++) reply.u8(HEADER_SIZE + 6 + i, version.charCodeAt(i));
    return HEADER_SIZE + 6 + version.length;
  }

  /**
   * A request that waits is told so, and is over before its Rflush: nothing of it happens after that. All others have been answered
   * already (flush(5)).
   */
  #flush(request: Request): Answer {
    const pending = this.#pending.get(request.u16(Tflush.oldtag));
    if (pending === undefined) return HEADER_SIZE;
    pending.flushes.push(request.tag);
    this.#pending.set(request.tag, pending);
    pending.request.abort();
    return NO_REPLY;
  }
}

/** An answer that comes with another request's. */
const NO_REPLY = 0;

/** The largest reply of fixed size must fit the least msize. */
if (leastSizeOf('Rgetattr') > LEAST_MSIZE) throw new Error('LEAST_MSIZE is too small');
