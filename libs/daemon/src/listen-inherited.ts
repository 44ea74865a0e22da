import { fstatSync } from 'node:fs';
import * as linux from '@vm-tools/linux';
import type { InheritedAddress } from '@vm-tools/vsock';
import { refuseInsecure } from './insecure.ts';
import { ListenError } from './listen-error.ts';
import { Listener, type ListenOptions } from './listener.ts';

const { SO_ACCEPTCONN, SO_TYPE, SOCK_STREAM, SOL_SOCKET } = linux.constants;
const BACKLOG = 512;

/** `unix-fd:N`: a bound stream socket, which listens already or shall now. Its file stays whoever's it is. */
export function listenOnInherited(address: InheritedAddress, options: ListenOptions): Listener {
  const { fd } = address;
  const refuse = (problem: string) => new ListenError(address, { code: 'ERR_UNFIT_DESCRIPTOR', problem });
  if (!fstatSync(fd).isSocket()) throw refuse('this descriptor is not a socket');
  if (linux.getsockopt(fd, SOL_SOCKET, SO_TYPE) !== SOCK_STREAM) throw refuse('this socket is not a stream');
  const name = linux.getsockname(fd);
  if ('host' in name) refuseInsecure(address, { kind: 'tcp', host: name.host, port: name.port }, options);
  if (linux.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN) === 0) {
    if (isConnected(fd)) throw refuse('this socket is connected');
    if ('path' in name ? name.path === '' : 'port' in name && name.port === 0) {
      throw refuse('this socket is bound to no address');
    }
    linux.listen(fd, options.backlog ?? BACKLOG);
  }
  linux.setNonblocking(fd, true);
  return new Listener(fd, address, name);
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
