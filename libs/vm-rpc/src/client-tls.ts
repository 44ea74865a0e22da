import { once } from 'node:events';
import { isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { type Address, formatAddress } from '@vm-tools/vsock';
import { RpcError } from './rpc-error.ts';

const HANDSHAKE_MS = 10_000;

/**
 * TLS on a connected socket. The server is known by the host of a TCP address, else by `servername` of the options.
 * @throws RpcError (ERR_RPC_LOST) when the handshake fails; the socket is destroyed then
 */
export async function encrypt(
  socket: Socket,
  address: Address,
  options: ConnectionOptions,
): Promise<TLSSocket> {
  const host = address.kind === 'tcp' ? address.host : 'localhost';
  const name = isIP(host) ? { host } : { host, servername: host };
  const encrypted = connect({ ...name, ...options, socket, ALPNProtocols: ['h2'] });
  // What ends the socket later is told by its own listeners; until then, by `once`.
  encrypted.on('error', () => undefined);
  const ended = new AbortController();
  encrypted.once('close', () => ended.abort(new Error('the connection ended')));
  const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(HANDSHAKE_MS)]);
  try {
    await once(encrypted, 'secureConnect', { signal });
    return encrypted;
  } catch (error) {
    encrypted.destroy();
    socket.destroy();
    throw noTls(address, signal.aborted ? signal.reason : error);
  }
}

function noTls(address: Address, cause: unknown): RpcError {
  const problem = `no TLS with whoever listens there: ${cause instanceof Error ? cause.message : cause}`;
  return new RpcError({ code: 'ERR_RPC_LOST', address: formatAddress(address), problem, cause });
}
