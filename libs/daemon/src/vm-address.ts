import { type Address, Cid, passedSockets, VsockError } from '@vm-tools/vsock';
import { ExitCode, ExitError } from './exit-status.ts';
import { UsageError } from './usage-error.ts';

/**
 * Where a daemon listens for VMs: at the socket that the service manager passed, or where it was told, or else at a port of vsock.
 * @param subject the option or operand that tells
 * @throws UsageError both, or more than one socket was passed
 */
export function vmAddress(named: Address | undefined, subject: string, port: number): Address {
  const [passed, more] = passedSockets();
  if (passed === undefined) return named ?? { kind: 'vsock', cid: Cid.any, port };
  if (named === undefined && more === undefined) return { kind: 'unix-fd', fd: passed.fd };
  throw new UsageError({
    code: 'ERR_CONFLICTING_OPTIONS',
    subject,
    problem: 'the service manager passed a socket as well, or more than one',
    remedy: 'leave it out, and have one socket passed',
  });
}

/** Ends a daemon that could not listen. @throws ExitError for a VsockError; else the error itself */
export function cannotListen(error: unknown): never {
  if (!(error instanceof VsockError)) throw error;
  const isForbidden = error.code === 'EACCES' || error.code === 'EPERM';
  throw new ExitError(error.message, {
    exitCode: isForbidden ? ExitCode.noPermission : ExitCode.unavailable,
    code: error.code,
    cause: error,
  });
}
