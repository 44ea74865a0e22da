import { getsockname } from '@vm-tools/linux';
import { type Address, openListening, VsockError } from '@vm-tools/vsock';
import { ListenError } from './listen-error.ts';
import { Listener, type ListenOptions } from './listener.ts';

/**
 * Listens on an address, as `openListening` of @vm-tools/vsock does, but for those that reach into VMs.
 *
 * @throws {ListenError} with the exit code that fits, `code` (that of the system error, or ERR_ADDRESS_IN_USE,
 *   ERR_NOT_A_SOCKET, ERR_UNFIT_DESCRIPTOR, ERR_INSECURE_ADDRESS, ERR_UNSUPPORTED_ADDRESS) and `cause`
 */
export async function listenOn(address: Address, options: ListenOptions = {}): Promise<Listener> {
  if (address.kind === 'vsock' || address.kind === 'hybrid') {
    const problem = `this version does not serve ${address.kind} addresses`;
    throw new ListenError(address, { code: 'ERR_UNSUPPORTED_ADDRESS', problem });
  }
  try {
    const listening = await openListening(address, options);
    // What was inherited is known by its number.
    const at = address.kind === 'unix-fd' ? address : listening.address;
    return new Listener(listening.fd, at, getsockname(listening.fd), () => listening.removeFile());
  } catch (error) {
    throw error instanceof VsockError ? listenError(address, error) : error;
  }
}

function listenError(address: Address, error: VsockError): ListenError {
  const { code, problem, remedy, cause = error } = error;
  // Which program has the address is known there; what else can be done is a flag of the program here.
  const known = code === 'ERR_ADDRESS_IN_USE' && remedy !== undefined ? { remedy } : {};
  return new ListenError(address, { code, problem, ...known, cause });
}
