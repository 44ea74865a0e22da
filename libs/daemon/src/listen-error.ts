import { type Address, formatAddress } from '@vm-tools/vsock';
import { ExitCode, ExitError } from './exit-status.ts';

/** An address that cannot be listened on: which, why, what to do. */
export class ListenError extends ExitError {
  override readonly name = 'ListenError';
  readonly address: Address;

  constructor(
    address: Address,
    exitCode: ExitCode,
    code: string,
    problem: string,
    remedy: string,
    options?: ErrorOptions,
  ) {
    super(exitCode, code, `cannot listen on ${formatAddress(address)}: ${problem}; ${remedy}`, options);
    this.address = address;
  }
}

export function inUse(address: Address, remedy: string, options?: ErrorOptions): ListenError {
  const problem = 'it is in use';
  return new ListenError(address, ExitCode.unavailable, 'ERR_ADDRESS_IN_USE', problem, remedy, options);
}
