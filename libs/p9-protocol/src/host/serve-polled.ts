import { Errno } from '../errno.ts';
import type { FileSystem } from '../filesystem.ts';
import type { ConnectionEnd } from '../server/connection.ts';
import type { ReplyBuffer } from '../server/reply-buffer.ts';
import { type ReplySink, type ServerOptions, Session } from '../server/session.ts';
import { alignedBytes } from './aligned-bytes.ts';
import { hungUp, transportFailed, violated } from './endings.ts';
import { constants, recv, type Watch, watch } from './linux.ts';
import { ReceiveBuffer } from './receive-buffer.ts';
import { sendReplies } from './send-replies.ts';

/**
 * Serves a filesystem to the client at the other end of a stream socket, on the calling thread's event loop and beside other
 * connections: by epoll, without ever waiting for this client. The replies are those of `serveDescriptor`.
 *
 * @param fd a connected stream socket, put into non-blocking mode. It stays the caller's, to be closed when the promise has settled.
 * @returns how the connection ended; never rejects
 */
export function servePolled(fd: number, fs: FileSystem, options: ServerOptions = {}): Promise<ConnectionEnd> {
  return new PolledConnection(fd, fs, options).ended;
}

class PolledConnection implements ReplySink {
  readonly allocate = alignedBytes;
  readonly ended: Promise<ConnectionEnd>;
  readonly #resolveEnded: (end: ConnectionEnd) => void;
  readonly #fd: number;
  readonly #session: Session;
  readonly #input = new ReceiveBuffer();
  readonly #watch: Watch;
  /** Batches that the client has not taken yet, in order. Nothing is served while there is one. */
  readonly #unsent: ReplyBuffer[] = [];
  #hasSent = false;
  /** Requests may be left that came before those that wait. */
  #wasCongested = false;
  #awaitsProgress = false;
  #end: ConnectionEnd | undefined;
  #isOver = false;

  constructor(fd: number, fs: FileSystem, options: ServerOptions) {
    const { promise, resolve } = Promise.withResolvers<ConnectionEnd>();
    this.ended = promise;
    this.#resolveEnded = resolve;
    this.#fd = fd;
    this.#session = new Session(fs, this, options);
    this.#watch = watch(fd, { readable: true }, () => this.#turn());
  }

  get isBlocked(): boolean {
    return this.#unsent.length > 0;
  }

  send(replies: ReplyBuffer): boolean {
    this.#hasSent = true;
    this.#unsent.push(replies);
    // Room for the next batch is made only if the client does not take this one.
    if (this.#unsent.length > 1 || !this.#trySend(replies)) return false;
    this.#unsent.pop();
    return true;
  }

  /** Whether all of it has been sent, or never can be. */
  #trySend(replies: ReplyBuffer): boolean {
    while (!replies.isEmpty && !this.#isOver) {
      const sent = sendReplies(this.#fd, replies);
      if (sent === -Errno.EAGAIN) return false;
      if (sent < 0) this.#give(transportFailed('sending', -sent));
      else replies.drop(sent);
    }
    return true;
  }

  /** The descriptor is ready, or a request that waited is answered. One recv a turn: other connections have theirs. */
  #turn(): void {
    while (this.#unsent.length > 0 && this.#trySend(this.#unsent[0] as ReplyBuffer)) {
      this.#session.recycle(this.#unsent.shift() as ReplyBuffer);
    }
    if (!this.#isOver && !this.isBlocked) this.#receive();
    if (!this.#isOver) this.#goOn();
  }

  #receive(): void {
    const input = this.#input;
    const session = this.#session;
    if (!this.#wasCongested && this.#end === undefined) {
      input.prepare(session, this.#hasSent);
      const received = recv(
        this.#fd,
        input.bytes,
        input.end,
        input.bytes.length - input.end,
        constants.MSG_DONTWAIT,
      );
      if (received > 0) input.end += received;
      else if (received === 0) this.#end = hungUp(input.start < input.end);
      else if (received !== -Errno.EAGAIN) this.#give(transportFailed('receiving', -received));
    }
    if (this.#isOver) return;
    input.start = session.receive(input.bytes, input.view, input.start, input.end);
    this.#wasCongested = session.isCongested;
    if (session.violation !== undefined) this.#end = violated(session.violation);
  }

  /** Asks for whatever can bring the next turn. */
  #goOn(): void {
    const { waiting } = this.#session;
    const isDone = this.#end !== undefined && !this.isBlocked && !this.#wasCongested;
    if (isDone && (waiting === 0 || this.#end?.reason === 'protocol')) {
      this.#give(this.#end as ConnectionEnd);
      return;
    }
    this.#watch.update({
      readable: this.#end === undefined && !this.#wasCongested && !this.isBlocked,
      writable: this.isBlocked,
    });
    if (waiting > 0 && !this.#awaitsProgress) {
      this.#awaitsProgress = true;
      void this.#session.progress().then(() => {
        this.#awaitsProgress = false;
        if (!this.#isOver) this.#turn();
      });
    } else if (this.#wasCongested && !this.isBlocked && waiting === 0) {
      // What was in the way has gone within this turn.
      setImmediate(() => {
        if (!this.#isOver) this.#turn();
      });
    }
  }

  #give(end: ConnectionEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#watch.close();
    this.#session.close();
    this.#resolveEnded(end);
  }
}
