import { type Address, formatAddress, isLoopback, type TcpAddress } from '@vm-tools/vsock';
import { ListenError } from './listen-error.ts';
import type { ListenOptions } from './listener.ts';

/** TCP has no permissions: who reaches the port is in. */
export function refuseInsecure(
  address: Address,
  reached: TcpAddress,
  { insecure = false }: ListenOptions,
): void {
  if (insecure || isLoopback(reached)) return;
  const problem = `${formatAddress(reached)} can be reached from other machines, and nothing is encrypted or asked for`;
  throw new ListenError(address, { code: 'ERR_INSECURE_ADDRESS', problem });
}
