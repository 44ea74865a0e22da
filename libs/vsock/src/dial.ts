import { existsSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import * as linux from '@vm-tools/linux';
import type {
  Address,
  InheritedAddress,
  TcpAddress,
  UnixAbstractAddress,
  UnixAddress,
  VsockAddress,
} from './address.ts';
import { type AdoptOptions, adopt, socketStyle } from './adoption.ts';
import { CONNECT_TIMEOUT_MS, connect, type WaitOptions } from './connect.ts';
import { connectHybrid, connectThrough, connectUnix } from './hybrid.ts';
import { kernelPeer } from './listening.ts';
import { parseAddress } from './parse-address.ts';
import { withEnds } from './peer.ts';
import { deadlineAfter } from './ready.ts';
import { runtimeDirectory, vmSocketPath } from './vm-directory.ts';
import { explained, VsockError } from './vsock-error.ts';

const { AF_UNIX, SOCK_NONBLOCK, SOCK_STREAM } = linux.constants;

export interface DialOptions extends WaitOptions, AdoptOptions {
  /** AF_VSOCK: bytes that the connection buffers; default the kernel's, 262,144. */
  readonly bufferSize?: number | undefined;
  /** Allows a hybrid socket that other users could reach or replace. Default false. */
  readonly allowAnyUser?: boolean | undefined;
  /**
   * Where VMs of this host with a device in user space have their directories; default `runtimeDirectory()`. A CID that has a
   * socket there is reached by it, any other by AF_VSOCK. `false`: AF_VSOCK only.
   */
  readonly runtimeDirectory?: string | false | undefined;
}

/**
 * Connects to an address of any kind.
 * @param address as text or parsed
 * @throws AddressError the text is no address to connect to; VsockError; the reason of the signal
 */
export async function dial(address: Address | string, options: DialOptions = {}): Promise<Socket> {
  const to = typeof address === 'string' ? parseAddress(address, { for: 'connect' }) : address;
  options.signal?.throwIfAborted();
  switch (to.kind) {
    case 'vsock':
      return await dialVsock(to, options);
    case 'hybrid':
      return await connectHybrid({ ...options, path: to.path, port: to.port });
    case 'unix':
    case 'unix-abstract':
      return await dialUnix(to, options);
    case 'unix-fd':
      return dialInherited(to, options);
    case 'tcp':
      return await dialTcp(to, options);
  }
}

async function dialVsock(address: VsockAddress, options: DialOptions): Promise<Socket> {
  const { cid, port } = address;
  const path = vmSocket(cid, options);
  if (path === undefined) return await connect({ ...options, cid, port });
  const peer = { kind: 'vsock', cid, port, by: 'directory' } as const;
  return await connectThrough({ ...options, path, port, address, peer });
}

/** The hybrid socket of a VM that has one. */
function vmSocket(cid: number, { runtimeDirectory: runtime }: DialOptions): string | undefined {
  if (runtime === false) return undefined;
  try {
    const path = vmSocketPath(cid, runtime ?? runtimeDirectory());
    return existsSync(path) ? path : undefined;
  } catch (error) {
    // Without a runtime directory there are no such VMs.
    if (error instanceof VsockError) return undefined;
    throw error;
  }
}

async function dialUnix(address: UnixAddress | UnixAbstractAddress, options: DialOptions): Promise<Socket> {
  const { signal, timeoutMs = CONNECT_TIMEOUT_MS } = options;
  let fd = -1;
  try {
    fd = linux.keptSocket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
    const { kind, ...name } = address;
    const patience = { signal, deadline: deadlineAfter(timeoutMs), late: () => late(address, timeoutMs) };
    await connectUnix(fd, { family: kind, ...name } as linux.SocketAddress, patience);
  } catch (error) {
    if (fd >= 0) linux.close(fd);
    throw explained(error, 'connect to', address);
  }
  return adoptAs(fd, address, options);
}

function dialInherited(address: InheritedAddress, options: DialOptions): Socket {
  try {
    linux.getpeername(address.fd);
    linux.setCloseOnExec(address.fd, true);
  } catch (error) {
    throw explained(error, 'connect to', address);
  }
  return adoptAs(address.fd, address, options);
}

function adoptAs(fd: number, address: Address, options: AdoptOptions): Socket {
  const peer = kernelPeer(fd);
  const socket = adopt(fd, options);
  return peer ? withEnds(socket, peer, address) : socket;
}

function dialTcp(address: TcpAddress, options: DialOptions): Promise<Socket> {
  const { signal, timeoutMs = CONNECT_TIMEOUT_MS, allowHalfOpen = false, onread } = options;
  const { host, port } = address;
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connectTcp({ host, port, allowHalfOpen, noDelay: true, ...(onread ? { onread } : {}) });
  const timer = timeoutMs > 0 && setTimeout(() => socket.destroy(late(address, timeoutMs)), timeoutMs);
  const aborted = () => socket.destroy(signal?.reason as Error);
  const failed = (error: Error) => reject(explained(error, 'connect to', address) as Error);
  signal?.addEventListener('abort', aborted, { once: true });
  socket.once('error', failed).once('connect', () => {
    socket.removeListener('error', failed);
    const peer = { kind: 'tcp', host: socket.remoteAddress ?? host, port } as const;
    resolve(withEnds(socket, peer, address));
  });
  return promise.finally(() => {
    if (timer) clearTimeout(timer);
    signal?.removeEventListener('abort', aborted);
  });
}

function late(address: Address, timeoutMs: number): VsockError {
  const problem = `not connected within ${timeoutMs} ms`;
  return new VsockError({ code: 'ERR_VSOCK_TIMEOUT', operation: 'connect to', address, problem });
}

/**
 * Makes a socket of a connected stream descriptor of any family, AF_VSOCK too. The descriptor is the socket's from now on.
 * @throws VsockError it is not connected, or no socket
 */
export async function fromFd(fd: number, options: AdoptOptions = {}): Promise<Socket> {
  await socketStyle();
  return dialInherited({ kind: 'unix-fd', fd }, options);
}
