import * as linux from '@vm-tools/linux';
import type { VsockAddress } from './address.ts';
import type { SocketOptions } from './listen-options.ts';
import { BACKLOG, type Listening, listening, vsockAddress } from './listening.ts';
import { explained } from './vsock-error.ts';
import { setBufferSize } from './vsock-options.ts';

const { AF_VSOCK, SOCK_NONBLOCK, SOCK_STREAM } = linux.constants;

/** `vsock:CID:PORT`, of the kernel. */
export function openVsock(
  address: VsockAddress,
  { backlog = BACKLOG, bufferSize }: SocketOptions = {},
  type: number = SOCK_STREAM,
): Listening {
  let fd = -1;
  try {
    fd = linux.keptSocket(AF_VSOCK, type | SOCK_NONBLOCK);
    // Connections that are accepted have it from here.
    if (bufferSize !== undefined) setBufferSize(fd, bufferSize);
    linux.bind(fd, { family: 'vsock', cid: address.cid, port: address.port });
    linux.listen(fd, backlog);
    return listening(fd, vsockAddress(linux.getsockname(fd)));
  } catch (error) {
    if (fd >= 0) linux.close(fd);
    throw explained(error, 'listen on', address);
  }
}
