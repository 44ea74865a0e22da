import { type Address, formatAddress } from '@vm-tools/vsock';
import { ExitCode, ExitError } from './exit-status.ts';

/** What can be in the way, with the exit code and what to do. System errors that are not here end with 71. */
const CAUSES: Readonly<Record<string, readonly [exitCode: ExitCode, remedy: string] | undefined>> = {
  ERR_ADDRESS_IN_USE: [ExitCode.unavailable, 'end the program that listens there, or choose another address'],
  ERR_INSECURE_ADDRESS: [ExitCode.usage, 'listen on 127.0.0.1 or [::1], or allow it with --insecure-listen'],
  ERR_NOT_A_SOCKET: [ExitCode.cannotCreate, 'name another path, or remove what is there if it is not needed'],
  ERR_UNFIT_DESCRIPTOR: [ExitCode.config, 'pass a stream socket that listens'],
  ERR_UNSUPPORTED_ADDRESS: [
    ExitCode.unavailable,
    'listen on unix:/PATH, unix-abstract:NAME, unix-fd:N or tcp:HOST:PORT',
  ],
  EACCES: [ExitCode.noPermission, 'run as a user who may, or choose another address'],
  EPERM: [ExitCode.noPermission, 'run as a user who may: files are given to a group by its members and root'],
  ENOENT: [ExitCode.cannotCreate, 'make its directory first'],
  ENOTDIR: [ExitCode.cannotCreate, 'name a path below a directory'],
  EROFS: [ExitCode.cannotCreate, 'name a path on a filesystem that can be written, such as /run'],
  ENOSPC: [ExitCode.cannotCreate, 'make room, or name a path elsewhere'],
  EADDRINUSE: [ExitCode.unavailable, 'end the program that listens there, or choose another address'],
  EADDRNOTAVAIL: [ExitCode.unavailable, 'choose an address that this machine has'],
  ENOTFOUND: [ExitCode.unavailable, 'write an IP address, or a name that resolves'],
  EAI_AGAIN: [ExitCode.unavailable, 'write an IP address, or a name that resolves'],
  EBADF: [ExitCode.config, 'start the program so that it inherits this descriptor'],
};

export interface ListenErrorFacts {
  code: string;
  problem: string;
  remedy?: string;
  cause?: unknown;
}

/** An address that cannot be listened on: which, why, what to do. */
export class ListenError extends ExitError {
  override readonly name = 'ListenError';
  readonly address: Address;

  constructor(address: Address, { code, problem, remedy, cause }: ListenErrorFacts) {
    const [exitCode, usualRemedy] = CAUSES[code] ?? [ExitCode.osError, 'choose another address'];
    const message = `cannot listen on ${formatAddress(address)}: ${problem}; ${remedy ?? usualRemedy}`;
    super(message, { exitCode, code, cause });
    this.address = address;
  }
}
