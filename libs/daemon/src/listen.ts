import type { Address } from '@vm-tools/vsock';
import { ExitCode } from './exit-status.ts';
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
 *   ERR_NOT_A_SOCKET, ERR_INSECURE_ADDRESS, ERR_UNSUPPORTED_ADDRESS) and `cause`
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
        const remedy = 'listen on unix:, unix-abstract:, unix-fd: or tcp:';
        const problem = `this version does not serve ${address.kind} addresses`;
        throw new ListenError(address, ExitCode.unavailable, 'ERR_UNSUPPORTED_ADDRESS', problem, remedy);
      }
    }
  } catch (error) {
    throw error instanceof ListenError ? error : systemFailure(address, error);
  }
}

function systemFailure(address: Address, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const code = String(error.code);
  const [exitCode, remedy] = FAILURES[code] ?? [ExitCode.osError, 'choose another address'];
  return new ListenError(address, exitCode, code, error.message, remedy, { cause: error });
}

const FAILURES: Readonly<Record<string, readonly [ExitCode, string] | undefined>> = {
  EACCES: [ExitCode.noPermission, 'run as a user who may, or choose another address'],
  EPERM: [
    ExitCode.noPermission,
    'run as a user who may: only members of a group, and root, can give a file to it',
  ],
  ENOENT: [ExitCode.cannotCreate, 'make its directory first'],
  ENOTDIR: [ExitCode.cannotCreate, 'name a path below a directory'],
  EROFS: [ExitCode.cannotCreate, 'name a path on a filesystem that can be written, such as /run'],
  ENOSPC: [ExitCode.cannotCreate, 'make room, or name a path elsewhere'],
  EADDRINUSE: [ExitCode.unavailable, 'end what uses it, or choose another address'],
  EADDRNOTAVAIL: [ExitCode.unavailable, 'choose an address that this machine has'],
  ENOTFOUND: [ExitCode.unavailable, 'write an IP address, or a name that resolves'],
  EAI_AGAIN: [ExitCode.unavailable, 'write an IP address, or a name that resolves'],
  EBADF: [ExitCode.config, 'start the program so that it inherits this descriptor'],
  ERR_UNSUPPORTED_PLATFORM: [ExitCode.osError, 'see above'],
};
