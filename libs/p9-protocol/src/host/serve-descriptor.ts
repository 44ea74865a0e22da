import { Errno } from '../errno.ts';
import type { FileSystem } from '../filesystem.ts';
import type { ConnectionEnd } from '../server/connection.ts';
import type { ReplyBuffer } from '../server/reply-buffer.ts';
import { type ReplySink, type ServerOptions, Session } from '../server/session.ts';
import { alignedBytes } from './aligned-bytes.ts';
import { hungUp, transportFailed, violated } from './endings.ts';
import { constants, exchange, poll, recv, setNonblocking, watch } from './linux.ts';
import { ReceiveBuffer } from './receive-buffer.ts';
import { sendReplies } from './send-replies.ts';

/**
 * Serves a filesystem to the client at the other end of a stream socket, in the calling thread: the thread is blocked in recv(2)
 * while no request waits for a promise, so it should be one that has nothing else to do (`serveThreaded` makes one).
 *
 * All complete requests of one recv are decoded where they lie, each file call reads into or writes from these buffers, and their
 * replies leave in one send, by the same call that then waits for more. Nothing is allocated or copied for a message.
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
      const { replies } = session;
      const answers = !replies.isEmpty;
      sink.hasSent ||= answers;
      input.prepare(session, sink.hasSent);
      const received = answers
        ? answerAndReceive(fd, replies, input)
        : receive(fd, input, session.waiting > 0);
      if (received === 0) return await answerTheRest(session, input.start < input.end);
      if (received > 0) input.end += received;
      else if (received !== -Errno.EAGAIN) {
        return transportFailed(answers ? 'sending or receiving' : 'receiving', -received);
      }
    }
    input.start = session.receive(input.bytes, input.view, input.start, input.end);
    wasCongested = session.isCongested;
    const { violation } = session;
    const mustGo = wasCongested || session.waiting > 0 || violation !== undefined;
    if (mustGo || session.replies.rangeCount > 1) session.flush();
    if (violation !== undefined) return violated(violation);
    if (sink.errno !== 0) return transportFailed('sending', sink.errno);
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

/** Nothing waits but the client, for replies in one piece. */
function answerAndReceive(fd: number, replies: ReplyBuffer, { bytes, end }: ReceiveBuffer): number {
  const { ranges } = replies;
  const received = exchange(
    fd,
    replies.bytes,
    ranges[0] as number,
    ranges[1] as number,
    bytes,
    end,
    bytes.length - end,
  );
  replies.reset();
  return received;
}

async function answerTheRest(session: Session, isInside: boolean): Promise<ConnectionEnd> {
  while (session.waiting > 0) await session.progress();
  return hungUp(isInside);
}

/** Sends replies at once, waiting for the client to take them. */
class DescriptorSink implements ReplySink {
  readonly allocate = alignedBytes;
  readonly isBlocked = false;
  readonly takesLast = true;
  readonly #fd: number;
  hasSent = false;
  /** Why sending failed; nothing more is sent then. */
  errno = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  send(replies: ReplyBuffer): boolean {
    this.hasSent = true;
    while (!replies.isEmpty && this.errno === 0) {
      const sent = sendReplies(this.#fd, replies);
      if (sent >= 0) replies.drop(sent);
      // The descriptor came to us in non-blocking mode.
      else if (sent === -Errno.EAGAIN) poll(this.#fd, constants.POLLOUT, -1);
      else this.errno = -sent;
    }
    return true;
  }
}
