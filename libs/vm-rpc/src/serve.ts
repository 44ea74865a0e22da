import type { SecureServerOptions } from 'node:http2';
import type { ConnectRouter, Interceptor } from '@connectrpc/connect';
import {
  type Address,
  type Listener,
  listen,
  type Peer,
  parseAddress,
  type StreamListenOptions,
} from '@vm-tools/vsock';
import type { HandlerErrorListener } from './handler-errors.ts';
import type { KeepAliveOptions } from './keep-alive.ts';
import { type PeerRules, requireTls } from './peer-rules.ts';
import type { RpcError } from './rpc-error.ts';
import { RpcServer } from './rpc-server.ts';

export interface ServeRpcOptions extends PeerRules {
  /** Around every method; the first one is the outermost. */
  readonly interceptors?: Interceptor[];
  /** The longest message that is taken or sent, in bytes as it is on the wire. Default 64 MiB and 64 KiB. */
  readonly maxMessageBytes?: number;
  /** How many bytes of requests a peer may have that are on their way or being answered. Default twice `maxMessageBytes`. */
  readonly maxPendingBytesPerPeer?: number;
  /** How many calls a connection may have at once; further ones wait at the other end. Default 100. */
  readonly maxConcurrentCalls?: number;
  /** How many connections a peer - a VM, a user, a machine - may have. Default 64. */
  readonly maxConnectionsPerPeer?: number;
  /** The longest deadline that a call may ask for, in milliseconds. Default: any. */
  readonly maxTimeoutMs?: number;
  /** How a silent connection is found out; false for never. */
  readonly keepAlive?: KeepAliveOptions | false;
  /** Encrypts, as `tls.createServer` takes it; for TCP beyond loopback it must be given. */
  readonly tls?: SecureServerOptions;
  /** Serves grpc.health.v1. Default true. */
  readonly health?: boolean;
  /** Serves grpc.reflection.v1 and v1alpha. Default true. */
  readonly reflection?: boolean;
  /** How to listen, as `listen` of `@vm-tools/vsock` takes it. */
  readonly listen?: Omit<StreamListenOptions, 'acceptCids' | 'allowHalfOpen' | 'insecure' | 'signal'>;
  /** Ends the server as `close` does. */
  readonly signal?: AbortSignal;
  /** Told of each connection that was turned away. */
  readonly onRefused?: (peer: Peer | undefined, why: RpcError) => void;
  /** Told of what handlers throw beside ConnectErrors; callers are not. */
  readonly onHandlerError?: HandlerErrorListener;
}

/**
 * Serves gRPC.
 *
 * @param at an address, or a listener of `@vm-tools/vsock`, which the server then owns: it closes it
 * @param routes registers the services
 * @throws AddressError; RpcError (ERR_RPC_TLS_REQUIRED); VsockError when it cannot be listened there
 */
export async function serveRpc(
  at: Address | string | Listener,
  routes: (router: ConnectRouter) => void,
  options: ServeRpcOptions = {},
): Promise<RpcServer> {
  const listener = typeof at === 'string' || 'kind' in at ? await listenAt(at, options) : at;
  try {
    if (!options.tls) requireTls(listener.address);
    return new RpcServer(listener, routes, options);
  } catch (error) {
    await listener.close();
    throw error;
  }
}

async function listenAt(at: Address | string, options: ServeRpcOptions): Promise<Listener> {
  const address = typeof at === 'string' ? parseAddress(at, { for: 'listen' }) : at;
  if (!options.tls) requireTls(address);
  return await listen(address, { ...options.listen, insecure: options.tls !== undefined });
}
