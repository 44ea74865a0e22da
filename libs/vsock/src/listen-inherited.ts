import { fstatSync } from 'node:fs';
import * as linux from '@vm-tools/linux';
import { type Address, Cid, type InheritedAddress } from './address.ts';
import { refuseInsecure, type SocketOptions } from './listen-options.ts';
import { BACKLOG, type Listening, listening, vsockAddress } from './listening.ts';
import { VsockError } from './vsock-error.ts';

const { SO_ACCEPTCONN, SO_TYPE, SOCK_STREAM, SOL_SOCKET } = linux.constants;

/** `unix-fd:N`: a bound stream socket of any family, which listens already or shall now. Its file stays whoever's it is. */
export function openInherited(address: InheritedAddress, options: SocketOptions): Listening {
  const { fd } = address;
  const refuse = (problem: string) =>
    new VsockError({ code: 'ERR_UNFIT_DESCRIPTOR', operation: 'listen on', address, problem });
  if (!fstatSync(fd).isSocket()) throw refuse('this descriptor is not a socket');
  if (linux.getsockopt(fd, SOL_SOCKET, SO_TYPE) !== SOCK_STREAM) throw refuse('this socket is not a stream');
  const name = linux.getsockname(fd);
  if (name.family === 'inet' || name.family === 'inet6') {
    refuseInsecure(address, { kind: 'tcp', host: name.host, port: name.port }, options);
  }
  if (linux.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN) === 0) {
    if (isConnected(fd)) throw refuse('this socket is connected');
    if (isUnbound(name)) throw refuse('this socket is bound to no address');
    linux.listen(fd, options.backlog ?? BACKLOG);
  }
  linux.setNonblocking(fd, true);
  linux.setCloseOnExec(fd, true);
  return listening(fd, addressOf(name));
}

/** Of an inherited socket its own name says more than its number. */
function addressOf(name: linux.SocketAddress): Address {
  switch (name.family) {
    case 'vsock':
      return vsockAddress(name);
    case 'unix':
      return { kind: 'unix', path: name.path };
    case 'unix-abstract':
      return { kind: 'unix-abstract', name: name.name };
    default:
      return { kind: 'tcp', host: name.host, port: name.port };
  }
}

function isUnbound(name: linux.SocketAddress): boolean {
  if (name.family === 'unix') return name.path === '';
  return 'port' in name && name.port === (name.family === 'vsock' ? Cid.any : 0);
}

function isConnected(fd: number): boolean {
  try {
    linux.getpeername(fd);
    return true;
  } catch (error) {
    if ((error as linux.SystemError).code === 'ENOTCONN') return false;
    throw error;
  }
}
