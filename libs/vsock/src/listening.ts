import * as linux from '@vm-tools/linux';
import type { Address, VsockAddress } from './address.ts';
import type { Peer } from './peer.ts';

/** How many connections may wait to be accepted. */
export const BACKLOG = 512;

/** A stream socket that listens: its descriptor is that of whoever accepts on it. */
export interface Listening {
  /** Non-blocking, close-on-exec. */
  readonly fd: number;
  /** Where; a port that was left to the kernel is the one it chose. */
  readonly address: Address;
  /** Whether the descriptor is AF_VSOCK, which Node.js does not take as it is. */
  readonly isVsock: boolean;
  /** Who is at the other end of a connection that was accepted; undefined: gone already. */
  identify(fd: number): Peer | undefined;
  /** Removes the file that was made for it, if it is still that one. */
  removeFile(): void;
}

const nothing = (): void => undefined;

/** A listening socket of a kind that the kernel names peers of. */
export function listening(fd: number, address: Address, removeFile: () => void = nothing): Listening {
  return { fd, address, isVsock: address.kind === 'vsock', identify: kernelPeer, removeFile };
}

/** A name of AF_VSOCK as an address. */
export function vsockAddress(name: linux.SocketAddress): VsockAddress {
  if (name.family !== 'vsock') throw new TypeError(`this is a socket of ${name.family}, not of vsock`);
  return { kind: 'vsock', cid: name.cid, port: name.port };
}

/** Who the kernel says is there. */
export function kernelPeer(fd: number): Peer | undefined {
  try {
    const name = linux.getpeername(fd);
    switch (name.family) {
      case 'vsock':
        return { kind: 'vsock', cid: name.cid, port: name.port, by: 'kernel' };
      case 'inet':
      case 'inet6':
        return { kind: 'tcp', host: name.host, port: name.port };
      default:
        return { kind: 'unix', ...linux.peerCredentials(fd) };
    }
  } catch (error) {
    if (error instanceof linux.SystemError) return undefined;
    throw error;
  }
}
