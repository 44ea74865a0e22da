import * as linux from '@vm-tools/linux';
import type { TcpAddress } from '@vm-tools/vsock';
import { refuseInsecure } from './insecure.ts';
import { Listener, type ListenOptions } from './listener.ts';

const { AF_INET, AF_INET6, IPPROTO_TCP, SO_REUSEADDR, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET, TCP_NODELAY } =
  linux.constants;
const BACKLOG = 512;

/** `tcp:HOST:PORT` */
export async function listenOnTcp(address: TcpAddress, options: ListenOptions): Promise<Listener> {
  const { lookup } = await import('node:dns/promises');
  // Of a literal address this is the address itself.
  const { address: host, family } = await lookup(address.host);
  refuseInsecure(address, { ...address, host }, options);
  const fd = linux.socket(family === 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  try {
    linux.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    // Connections inherit it: small replies must not wait for the acknowledgement of earlier ones.
    linux.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    linux.bind(fd, { family: family === 6 ? 'inet6' : 'inet', host, port: address.port });
    linux.listen(fd, options.backlog ?? BACKLOG);
    const name = linux.getsockname(fd);
    const port = 'port' in name ? name.port : address.port;
    return new Listener(fd, { kind: 'tcp', host, port }, name);
  } catch (error) {
    linux.close(fd);
    throw error;
  }
}
