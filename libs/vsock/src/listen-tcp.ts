import * as linux from '@vm-tools/linux';
import type { TcpAddress } from './address.ts';
import { refuseInsecure, type SocketOptions } from './listen-options.ts';
import { BACKLOG, type Listening, listening } from './listening.ts';

const { AF_INET, AF_INET6, IPPROTO_TCP, SO_REUSEADDR, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET, TCP_NODELAY } =
  linux.constants;

/** `tcp:HOST:PORT` */
export async function openTcp(address: TcpAddress, options: SocketOptions): Promise<Listening> {
  const { lookup } = await import('node:dns/promises');
  // Of a literal address this is the address itself.
  const { address: host, family } = await lookup(address.host);
  refuseInsecure(address, { ...address, host }, options);
  const fd = linux.keptSocket(family === 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  try {
    linux.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    // Connections inherit it: small replies must not wait for the acknowledgement of earlier ones.
    linux.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    linux.bind(fd, { family: family === 6 ? 'inet6' : 'inet', host, port: address.port });
    linux.listen(fd, options.backlog ?? BACKLOG);
    const name = linux.getsockname(fd);
    return listening(fd, { kind: 'tcp', host, port: 'host' in name ? name.port : address.port });
  } catch (error) {
    linux.close(fd);
    throw error;
  }
}
