import { constants, poll, recv, send, sendv, setNonblocking, watch } from '@vm-tools/linux';
import { Errno, errnoName } from '../errno.ts';
import type { FileSystem } from '../filesystem.ts';
import type { ConnectionEnd } from '../server/connection.ts';
import type { ReplyBuffer } from '../server/reply-buffer.ts';
import { type ReplySink, replyCapacity, type ServerOptions, Session } from '../server/session.ts';

/** Enough for what comes before the version is negotiated. */
const FIRST_CAPACITY = 8192;
/** Where received bytes begin: puts the data of a first Twrite, 23 bytes on, at a multiple of 64. */
const FIRST = 64 - 23;

/**
 * Serves a filesystem to the client at the other end of a stream socket, in the calling thread: the thread is blocked in recv(2)
 * while no request waits for a promise, so it should be one that has nothing else to do (`serveThreaded` makes one).
 *
 * All complete requests of one recv are decoded where they lie, each file call reads into or writes from these buffers, and their
 * replies leave in one send. Nothing is allocated or copied for a message.
 *
 * @param fd a connected stream socket. It stays the caller's, to be closed when the promise has settled.
 * @returns how the connection ended; never rejects
 */
export async function serveDescriptor(
  fd: number,
  fs: FileSystem,
  options: ServerOptions = {},
): Promise<ConnectionEnd> {
  const sink = new DescriptorSink(fd);
  const session = new Session(fs, sink, options);
  try {
    return await converse(fd, session, sink);
  } finally {
    session.close();
  }
}

async function converse(fd: number, session: Session, sink: DescriptorSink): Promise<ConnectionEnd> {
  const input = new ReceiveBuffer();
  // Complete requests may be left from before; receiving must not wait for more while they do.
  let wasCongested = false;
  for (;;) {
    if (session.waiting > 0) await somethingHappens(fd, session);
    if (!wasCongested) {
      input.prepare(session, sink.hasSent);
      const received = receive(fd, input, session.waiting > 0);
      if (received === 0) return await hungUp(session, input.start < input.end);
      if (received > 0) input.end += received;
      else if (received !== -Errno.EAGAIN) return failed('receiving', -received);
    }
    input.start = session.receive(input.bytes, input.view, input.start, input.end);
    wasCongested = session.isCongested;
    if (session.violation !== undefined) {
      return { reason: 'protocol', message: session.violation.message, error: session.violation };
    }
    if (sink.errno !== 0) return failed('sending', sink.errno);
  }
}

/** What was received and is not served yet: bytes[start, end). */
class ReceiveBuffer {
  bytes = new Uint8Array(FIRST_CAPACITY);
  view = new DataView(this.bytes.buffer);
  start = FIRST;
  end = FIRST;

  /** Makes room to receive into; larger once the client has shown that it speaks, or needs it for its frame. */
  prepare(session: Session, hasSpoken: boolean): void {
    const { bytes, start, end } = this;
    if (start === end && !session.inputRetained) {
      this.start = FIRST;
      this.end = FIRST;
    }
    const capacity = replyCapacity(session.msize);
    const mustGrow = bytes.length < capacity && (hasSpoken || end - start >= FIRST_CAPACITY / 2);
    if (mustGrow || session.inputRetained) {
      this.bytes = new Uint8Array(mustGrow ? capacity : bytes.length);
      this.view = new DataView(this.bytes.buffer);
      this.bytes.set(bytes.subarray(start, end), FIRST);
      session.inputRetained = false;
    } else if (bytes.length - this.end < bytes.length >> 1) {
      bytes.copyWithin(FIRST, start, end);
    } else {
      return;
    }
    this.end = FIRST + end - start;
    this.start = FIRST;
  }
}

/** Waits for further requests or for the answer to one that waits. */
async function somethingHappens(fd: number, session: Session): Promise<void> {
  if (session.isCongested) {
    await session.progress();
    return;
  }
  await new Promise<void>((resolve) => {
    // It makes the descriptor non-blocking.
    const readable = watch(fd, { readable: true }, () => {
      readable.close();
      resolve();
    });
    void session.progress().then(() => {
      readable.close();
      resolve();
    });
  });
  if (session.waiting === 0) setNonblocking(fd, false);
}

function receive(fd: number, { bytes, end }: ReceiveBuffer, mayNotWait: boolean): number {
  for (;;) {
    const received = recv(fd, bytes, end, bytes.length - end, mayNotWait ? constants.MSG_DONTWAIT : 0);
    if (received !== -Errno.EAGAIN || mayNotWait) return received;
    // The descriptor came to us in non-blocking mode.
    poll(fd, constants.POLLIN, -1);
  }
}

async function hungUp(session: Session, isInside: boolean): Promise<ConnectionEnd> {
  while (session.waiting > 0) await session.progress();
  return {
    reason: 'closed',
    message: isInside ? 'the client hung up in the middle of a request' : 'the client hung up',
  };
}

function failed(doing: string, errno: number): ConnectionEnd {
  const isHangUp = errno === Errno.EPIPE || errno === Errno.ECONNRESET;
  return {
    reason: isHangUp ? 'closed' : 'transport',
    message: isHangUp ? 'the client hung up' : `${doing} failed: ${errnoName(errno)}`,
  };
}

/** Sends replies at once, waiting for the client to take them. */
class DescriptorSink implements ReplySink {
  readonly isBlocked = false;
  readonly #fd: number;
  hasSent = false;
  /** Why sending failed; nothing more is sent then. */
  errno = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  send(replies: ReplyBuffer): boolean {
    this.hasSent = true;
    if (replies.rangeCount > 1) this.#sendRanges(replies);
    else this.#sendRange(replies, 0);
    return true;
  }

  #sendRange(replies: ReplyBuffer, index: number): void {
    let start = replies.ranges[2 * index] as number;
    let length = replies.ranges[2 * index + 1] as number;
    while (length > 0 && this.errno === 0) {
      const sent = this.#settle(send(this.#fd, replies.bytes, start, length, 0));
      start += sent;
      length -= sent;
    }
  }

  #sendRanges(replies: ReplyBuffer): void {
    const { bytes, ranges, rangeCount } = replies;
    let sent = this.errno === 0 ? this.#settle(sendv(this.#fd, bytes, ranges, rangeCount, 0)) : 0;
    for (let i = 0; i < rangeCount; i++) {
      const taken = Math.min(sent, ranges[2 * i + 1] as number);
      sent -= taken;
      ranges[2 * i] = (ranges[2 * i] as number) + taken;
      ranges[2 * i + 1] = (ranges[2 * i + 1] as number) - taken;
      this.#sendRange(replies, i);
    }
  }

  /** How many bytes were sent; waits where the descriptor is in non-blocking mode. */
  #settle(sent: number): number {
    if (sent >= 0) return sent;
    if (sent === -Errno.EAGAIN) poll(this.#fd, constants.POLLOUT, -1);
    else this.errno = -sent;
    return 0;
  }
}
