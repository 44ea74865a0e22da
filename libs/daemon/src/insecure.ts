import { type Address, formatAddress, isLoopback, type TcpAddress } from '@vm-tools/vsock';
import { ExitCode } from './exit-status.ts';
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
  const remedy = 'listen on 127.0.0.1 or [::1], or allow it with --insecure-listen';
  throw new ListenError(address, ExitCode.usage, 'ERR_INSECURE_ADDRESS', problem, remedy);
}
