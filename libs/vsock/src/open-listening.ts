import { letGo } from '@vm-tools/linux';
import type { Address } from './address.ts';
import type { SocketOptions } from './listen-options.ts';
import type { Listening } from './listening.ts';
import { requirePrivateSocket } from './privacy.ts';
import { hybridListenerPath } from './vm-directory.ts';
import { explained } from './vsock-error.ts';

/**
 * A listening socket for an address of any kind, by the kernel: what `listen` accepts on.
 *
 * A socket file that nobody listens on any more is replaced; one that is in use, and anything that is not a socket, is
 * refused. The file has the mode and group asked for before anyone can connect. A name is resolved and must still be
 * loopback, unless `insecure`.
 *
 * @throws VsockError with the code of the system error, or ERR_ADDRESS_IN_USE, ERR_NOT_A_SOCKET, ERR_NOT_PRIVATE,
 *   ERR_UNFIT_DESCRIPTOR, ERR_INSECURE_ADDRESS, ERR_VSOCK_UNAVAILABLE
 */
export async function openListening(address: Address, options: SocketOptions = {}): Promise<Listening> {
  const listening = await openKeptListening(address, options);
  letGo(listening.fd);
  return listening;
}

/** {@link openListening} with a descriptor that is kept (`keptSocket`), for whoever accepts on it in this thread. */
export async function openKeptListening(address: Address, options: SocketOptions): Promise<Listening> {
  try {
    switch (address.kind) {
      case 'vsock': {
        const { openVsock } = await import('./listen-vsock.ts');
        return openVsock(address, options);
      }
      case 'hybrid': {
        const { path, port } = address;
        const { openUnixPath } = await import('./listen-unix.ts');
        const own = hybridListenerPath(path, port);
        if (!options.allowAnyUser) requirePrivateSocket(own, address, 'listen on');
        const socket = await openUnixPath({ kind: 'unix', path: own }, options);
        return { ...socket, address, identify: () => ({ kind: 'hybrid', path, port }) };
      }
      case 'unix': {
        const { openUnixPath } = await import('./listen-unix.ts');
        return await openUnixPath(address, options);
      }
      case 'unix-abstract': {
        const { openUnixName } = await import('./listen-unix.ts');
        return openUnixName(address, options);
      }
      case 'unix-fd': {
        const { openInherited } = await import('./listen-inherited.ts');
        return openInherited(address, options);
      }
      case 'tcp': {
        const { openTcp } = await import('./listen-tcp.ts');
        return await openTcp(address, options);
      }
    }
  } catch (error) {
    throw explained(error, 'listen on', address);
  }
}
