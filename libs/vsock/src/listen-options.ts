import { type Address, formatAddress, type TcpAddress } from './address.ts';
import { isLoopback } from './loopback.ts';
import { VsockError } from './vsock-error.ts';

/** How a socket listens, whatever its kind. */
export interface SocketOptions {
  /** How many connections may wait to be accepted; default 512. */
  readonly backlog?: number | undefined;
  /** Of a Unix socket's file, exactly; default 0o600. */
  readonly mode?: number | undefined;
  /** The group that a Unix socket's file gets; for the mode 0o660. */
  readonly gid?: number | undefined;
  /** Allows TCP beyond loopback. Default false. */
  readonly insecure?: boolean | undefined;
  /** Allows a hybrid socket that other users could reach or replace. Default false. */
  readonly allowAnyUser?: boolean | undefined;
  /** AF_VSOCK: bytes that a connection buffers (`SO_VM_SOCKETS_BUFFER_SIZE`); default the kernel's, 262,144. */
  readonly bufferSize?: number | undefined;
}

/** TCP has no permissions: who reaches the port is in. */
export function refuseInsecure(
  address: Address,
  reached: TcpAddress,
  { insecure = false }: SocketOptions,
): void {
  if (insecure || isLoopback(reached)) return;
  const problem = `${formatAddress(reached)} can be reached from other machines, and nothing is encrypted or asked for`;
  throw new VsockError({ code: 'ERR_INSECURE_ADDRESS', operation: 'listen on', address, problem });
}

export function inUse(address: Address, facts: { remedy?: string; cause?: unknown } = {}): VsockError {
  return new VsockError({
    code: 'ERR_ADDRESS_IN_USE',
    operation: 'listen on',
    address,
    problem: 'it is in use',
    ...facts,
  });
}
