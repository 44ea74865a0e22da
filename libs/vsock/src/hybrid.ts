import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import * as linux from '@vm-tools/linux';
import type { Address } from './address.ts';
import { type AdoptOptions, adopt } from './adoption.ts';
import { CONNECT_TIMEOUT_MS, type WaitOptions } from './connect.ts';
import { type Peer, withEnds } from './peer.ts';
import { requirePrivateSocket } from './privacy.ts';
import { deadlineAfter, type Patience, ready } from './ready.ts';
import { explained, VsockError } from './vsock-error.ts';

const { AF_UNIX, MSG_DONTWAIT, MSG_PEEK, SOCK_NONBLOCK, SOCK_STREAM } = linux.constants;
const { Errno } = linux;

/** `OK 4294967295\n` has 14. */
const LONGEST_ANSWER = 32;
/** Between two attempts when as many wait to be accepted as may. */
const CROWDED_MS = 5;
const NEWLINE = 0x0a;

export interface HybridConnectOptions extends WaitOptions, AdoptOptions {
  /** The VM's Unix socket: Firecracker's `uds_path`, Cloud Hypervisor's `socket=`. */
  readonly path: string;
  /** The port that a program of the guest listens on. */
  readonly port: number;
  /** Allows a socket that other users could reach or replace. Default false. */
  readonly allowAnyUser?: boolean | undefined;
}

/** A hybrid connection and what it is known by. */
interface Destination extends HybridConnectOptions {
  readonly address: Address;
  readonly peer: Peer;
}

/**
 * Connects to a port of a guest through the VM's Unix socket, by `CONNECT port\n` and `OK n\n`. What follows the newline is the
 * connection's.
 * @throws VsockError ERR_HYBRID_REFUSED: nobody listens on that port; ERR_HYBRID_PROTOCOL: this is no hybrid socket;
 *   ERR_NOT_PRIVATE; ERR_VSOCK_TIMEOUT; system errors; the reason of the signal
 */
export function connectHybrid(options: HybridConnectOptions): Promise<Socket> {
  const { path, port } = options;
  const ends = { kind: 'hybrid', path, port } as const;
  return connectThrough({ ...options, address: ends, peer: ends });
}

/** {@link connectHybrid} for whatever the connection is to be known by. */
export async function connectThrough({ allowHalfOpen, onread, ...options }: Destination): Promise<Socket> {
  const { path, port, address, peer, signal, timeoutMs = CONNECT_TIMEOUT_MS, allowAnyUser = false } = options;
  signal?.throwIfAborted();
  const late = () =>
    new VsockError({
      code: 'ERR_VSOCK_TIMEOUT',
      operation: 'connect to',
      address,
      problem: `no answer within ${timeoutMs} ms`,
    });
  const patience: Patience = { signal, deadline: deadlineAfter(timeoutMs), late };
  let fd = -1;
  try {
    if (!allowAnyUser) requirePrivateSocket(path, address, 'connect to');
    fd = linux.keptSocket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
    await connectUnix(fd, { family: 'unix', path }, patience);
    const request = Buffer.from(`CONNECT ${port}\n`);
    // A fresh socket has room for it.
    linux.check(linux.send(fd, request, 0, request.length, 0), 'send');
    const asked = fd;
    fd = -1; // taken from here on, and closed if it fails
    const connected = await readAnswer(asked, address, patience);
    return withEnds(adopt(connected, { allowHalfOpen, onread }), peer, address);
  } catch (error) {
    if (fd >= 0) linux.close(fd);
    throw explained(error, 'connect to', address);
  }
}

/** connect(2) to a Unix socket; one that is crowded is tried again, as it does not tell when it no longer is. */
export async function connectUnix(
  fd: number,
  address: linux.SocketAddress,
  { signal, deadline, late }: Patience,
): Promise<void> {
  for (;;) {
    try {
      linux.connect(fd, address);
      return;
    } catch (error) {
      if ((error as linux.SystemError).code !== 'EAGAIN') throw error;
    }
    if (deadline !== undefined && performance.now() >= deadline) throw late();
    await sleep(CROWDED_MS, undefined, signal ? { signal } : {}).catch(() => signal?.throwIfAborted());
  }
}

/** Takes `OK n\n` off the socket, and not a byte more. Returns the descriptor, or closes it. */
async function readAnswer(socket: number, address: Address, patience: Patience): Promise<number> {
  let fd = socket;
  const answer = Buffer.alloc(LONGEST_ANSWER);
  let length = 0;
  try {
    while (length === 0 || answer[length - 1] !== NEWLINE) {
      const count = linux.recv(fd, answer, length, LONGEST_ANSWER - length, MSG_PEEK | MSG_DONTWAIT);
      if (count === -Errno.EAGAIN) {
        const waiting = fd;
        fd = -1;
        fd = await ready(waiting, { readable: true }, patience);
        continue;
      }
      if (count === 0 || count === -Errno.ECONNRESET) throw refused(address);
      linux.check(count, 'recv');
      const newline = answer.subarray(0, length + count).indexOf(NEWLINE, length);
      const taken = newline < 0 ? count : newline + 1 - length;
      length += linux.check(linux.recv(fd, answer, length, taken, MSG_DONTWAIT), 'recv');
      if (newline < 0 && length === LONGEST_ANSWER) throw otherwise(address, answer);
    }
    const line = answer.subarray(0, length);
    if (!/^OK [0-9]{1,10}\n$/.test(line.toString('latin1'))) throw otherwise(address, line);
    return fd;
  } catch (error) {
    if (fd >= 0) linux.close(fd);
    throw error;
  }
}

function refused(address: Address): VsockError {
  const problem = 'the VM closed the connection';
  const remedy = 'see that a program of the guest listens on that port';
  return new VsockError({ code: 'ERR_HYBRID_REFUSED', operation: 'connect to', address, problem, remedy });
}

function otherwise(address: Address, said: Buffer): VsockError {
  const problem = `it answers ${JSON.stringify(said.toString('latin1'))} instead of OK and a number`;
  const remedy = 'name the Unix socket of the VM itself';
  return new VsockError({ code: 'ERR_HYBRID_PROTOCOL', operation: 'connect to', address, problem, remedy });
}
