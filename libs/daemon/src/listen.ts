import type { Address } from '@vm-tools/vsock';
import { ListenError } from './listen-error.ts';
import type { Listener, ListenOptions } from './listener.ts';

/**
 * Listens on an address.
 *
 * A socket file that nobody listens on any more is replaced; one that is in use, and anything that is not a socket, is
 * refused. The file has the mode and group asked for before anyone can connect. A name is resolved and must still be
 * loopback, unless `insecure`.
 *
 * @throws {ListenError} with the exit code that fits, `code` (that of the system error, or ERR_ADDRESS_IN_USE,
 *   ERR_NOT_A_SOCKET, ERR_UNFIT_DESCRIPTOR, ERR_INSECURE_ADDRESS, ERR_UNSUPPORTED_ADDRESS) and `cause`
 */
export async function listenOn(address: Address, options: ListenOptions = {}): Promise<Listener> {
  try {
    switch (address.kind) {
      case 'unix': {
        const { listenOnPath } = await import('./listen-unix.ts');
        return await listenOnPath(address, options);
      }
      case 'unix-abstract': {
        const { listenOnName } = await import('./listen-unix.ts');
        return listenOnName(address, options);
      }
      case 'unix-fd': {
        const { listenOnInherited } = await import('./listen-inherited.ts');
        return listenOnInherited(address, options);
      }
      case 'tcp': {
        const { listenOnTcp } = await import('./listen-tcp.ts');
        return await listenOnTcp(address, options);
      }
      case 'vsock':
      case 'hybrid': {
        const problem = `this version does not serve ${address.kind} addresses`;
        throw new ListenError(address, { code: 'ERR_UNSUPPORTED_ADDRESS', problem });
      }
    }
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error && 'code' in error)) throw error;
    throw new ListenError(address, { code: String(error.code), problem: error.message, cause: error });
  }
}
