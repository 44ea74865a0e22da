import type { Socket } from 'node:net';
import * as linux from '@vm-tools/linux';
import type { VsockAddress } from './address.ts';
import { type AdoptOptions, adopt, socketStyle } from './adoption.ts';
import { vsockAddress } from './listening.ts';
import { withEnds } from './peer.ts';
import { deadlineAfter, type Patience, ready } from './ready.ts';
import { explained, VsockError } from './vsock-error.ts';
import { setBufferSize, setConnectTimeout } from './vsock-options.ts';

const { AF_VSOCK, SO_ERROR, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET } = linux.constants;
/** The kernel's own patience goes to whole jiffies, and is to end after ours. */
const KERNEL_SLACK_MS = 1000;
/** Of the kernel: its own 2 s must not be what "for ever" means. */
const FOR_EVER_MS = 2 ** 31;

export const CONNECT_TIMEOUT_MS = 10_000;

/** How a connection is made. */
export interface WaitOptions {
  /** Gives up connecting; a connection that is there is not touched any more. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds that connecting may take; default 10,000; 0 for ever. */
  readonly timeoutMs?: number | undefined;
}

export interface ConnectOptions extends WaitOptions, AdoptOptions {
  /** A CID, or one of `Cid`. */
  readonly cid: number;
  readonly port: number;
  /** Bytes that the connection buffers (`SO_VM_SOCKETS_BUFFER_SIZE`); default the kernel's, 262,144. */
  readonly bufferSize?: number | undefined;
}

/**
 * Connects to a port by AF_VSOCK. The socket is a genuine `net.Socket`.
 * @throws VsockError ECONNRESET: nobody listens there; ENODEV: no way to that CID; ERR_VSOCK_UNAVAILABLE; ERR_VSOCK_TIMEOUT;
 *   the reason of the signal
 */
export async function connect({ allowHalfOpen, onread, ...options }: ConnectOptions): Promise<Socket> {
  await socketStyle();
  const { cid, port } = options;
  const fd = await connectDescriptor(SOCK_STREAM, options);
  const local = vsockAddress(linux.getsockname(fd));
  return withEnds(adopt(fd, { allowHalfOpen, onread }), { kind: 'vsock', cid, port, by: 'kernel' }, local);
}

/** A connected AF_VSOCK descriptor, non-blocking. */
export async function connectDescriptor(
  type: number,
  { cid, port, signal, timeoutMs = CONNECT_TIMEOUT_MS, bufferSize }: Omit<ConnectOptions, keyof AdoptOptions>,
): Promise<number> {
  signal?.throwIfAborted();
  const address: VsockAddress = { kind: 'vsock', cid, port };
  const patience: Patience = {
    signal,
    deadline: deadlineAfter(timeoutMs),
    late: () =>
      new VsockError({
        code: 'ERR_VSOCK_TIMEOUT',
        operation: 'connect to',
        address,
        problem: `not connected within ${timeoutMs} ms`,
      }),
  };
  let fd = -1;
  try {
    fd = linux.keptSocket(AF_VSOCK, type | SOCK_NONBLOCK);
    if (bufferSize !== undefined) setBufferSize(fd, bufferSize);
    setConnectTimeout(fd, timeoutMs > 0 ? timeoutMs + KERNEL_SLACK_MS : FOR_EVER_MS);
    if (!isUnderWay(fd, { family: 'vsock', cid, port })) return fd;
    const waiting = fd;
    fd = -1; // taken, and closed if it fails
    fd = await ready(waiting, { writable: true }, patience);
    const errno = linux.getsockopt(fd, SOL_SOCKET, SO_ERROR);
    if (errno !== 0) throw new linux.SystemError(errno, 'connect');
    return fd;
  } catch (error) {
    if (fd >= 0) linux.close(fd);
    throw explained(error, 'connect to', address);
  }
}

/** Begins to connect; false: it is done already. */
function isUnderWay(fd: number, address: linux.SocketAddress): boolean {
  try {
    linux.connect(fd, address);
    return false;
  } catch (error) {
    if ((error as linux.SystemError).code === 'EINPROGRESS') return true;
    throw error;
  }
}
