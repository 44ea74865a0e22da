import type { ConnectionOptions } from 'node:tls';
import type { Interceptor, Transport } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import {
  type Address,
  type DialOptions,
  dial,
  dialWithRetry,
  formatAddress,
  parseAddress,
  peerOf,
} from '@vm-tools/vsock';
import { ClientConnection } from './client-connection.ts';
import { encrypt } from './client-tls.ts';
import type { KeepAliveOptions } from './keep-alive.ts';
import { type AcceptUids, peerCheck, requireTls } from './peer-rules.ts';
import { RpcError } from './rpc-error.ts';
import { SessionManager } from './session-manager.ts';
import { connectionErrors } from './unavailable.ts';

export interface VmTransportOptions {
  /** The first one is the outermost. */
  readonly interceptors?: Interceptor[];
  /** The deadline of calls that name none (`timeoutMs`), in milliseconds. Default: none. */
  readonly defaultTimeoutMs?: number;
  /** The longest message that is sent or taken, in bytes as it is on the wire. Default 64 MiB and 64 KiB. */
  readonly maxMessageBytes?: number;
  /** How a silent connection is found out; false for never. */
  readonly keepAlive?: KeepAliveOptions | false;
  /**
   * Whether the server endures pings at every interval, as `serveRpc` does. Others close connections after three pings
   * in a call that is otherwise silent, so that from then on they are asked every five minutes. Default false.
   */
  readonly serverEnduresPings?: boolean;
  /** How long to try again while nobody listens, as when a VM boots, in milliseconds. Default 0. */
  readonly retryMs?: number;
  /** Without a call for so long, in milliseconds, the connection is closed. Default 300,000. */
  readonly idleTimeoutMs?: number;
  /** Encrypts; for TCP beyond loopback it must be given. `{}` trusts the usual authorities for the host's name. */
  readonly tls?: ConnectionOptions;
  /** The users that the server behind a Unix socket may run as. Default: root, and the one that this process runs as. */
  readonly acceptUids?: AcceptUids;
  /** How to connect, as `dial` of `@vm-tools/vsock` takes it. */
  readonly dial?: Omit<DialOptions, 'allowHalfOpen' | 'onread' | 'signal'>;
}

/** For `createClient` of `@connectrpc/connect`; holds at most one connection. */
export interface VmTransport extends Transport, AsyncDisposable {
  readonly address: Address;
  /** Connects now instead of with the first call. */
  connect(): Promise<void>;
  /** Takes no more calls; resolves when those under way have ended. */
  close(): Promise<void>;
  /** Takes no more calls, and ends those under way: they fail with UNAVAILABLE. Disposing does the same. */
  abort(): Promise<void>;
}

/** 64 MiB of content and the fields around it. */
export const DEFAULT_MAX_MESSAGE_BYTES = (64 << 20) + (64 << 10);

const PATIENCE_MS = 300_000;
const IDLE_TIMEOUT_MS = 300_000;

/**
 * gRPC to one server. Connects with the first call, and anew after the connection has ended.
 *
 * Calls fail with a `ConnectError`: UNAVAILABLE when there is no connection, or it is lost under the call (its `cause`
 * says why); DEADLINE_EXCEEDED at their deadline.
 *
 * @param address any of the grammar of `@vm-tools/vsock` that can be connected to
 * @throws AddressError; RpcError (ERR_RPC_TLS_REQUIRED)
 */
export function createVmTransport(address: Address | string, options: VmTransportOptions = {}): VmTransport {
  const target = typeof address === 'string' ? parseAddress(address, { for: 'connect' }) : address;
  if (!options.tls) requireTls(target);
  // A zone is of this machine alone.
  const host = target.kind === 'tcp' ? target.host.replace(/%.*/, '') : 'localhost';
  const authority = `${options.tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}`;
  const sessions = new SessionManager({
    address: formatAddress(target),
    authority: new URL(authority).origin,
    open: (signal) => open(target, authority, signal, options),
  });
  const { maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES, interceptors = [], defaultTimeoutMs } = options;
  const transport = createGrpcTransport({
    baseUrl: authority,
    sessionManager: sessions,
    interceptors: [...interceptors, connectionErrors],
    readMaxBytes: maxMessageBytes,
    writeMaxBytes: maxMessageBytes,
    // As in the server.
    acceptCompression: [],
    ...(defaultTimeoutMs === undefined ? {} : { defaultTimeoutMs }),
  });
  const abort = () => sessions.abort();
  return {
    ...transport,
    address: target,
    connect: () => sessions.connect(),
    close: () => sessions.close(),
    abort,
    [Symbol.asyncDispose]: abort,
  };
}

async function open(
  target: Address,
  authority: string,
  signal: AbortSignal,
  options: VmTransportOptions,
): Promise<ClientConnection> {
  const { retryMs = 0, serverEnduresPings = false, keepAlive = {}, tls } = options;
  const address = formatAddress(target);
  const rawSocket = retryMs
    ? await dialWithRetry(target, { ...options.dial, signal, deadlineMs: retryMs })
    : await dial(target, { ...options.dial, signal });
  const why = peerCheck({ acceptUids: options.acceptUids }, tls !== undefined)(peerOf(rawSocket));
  if (why !== undefined) {
    rawSocket.destroy();
    const problem = `whoever listens there is not trusted: ${why}`;
    throw new RpcError({ code: 'ERR_RPC_PEER_REFUSED', address, problem });
  }
  const socket = tls ? await encrypt(rawSocket, target, tls) : rawSocket;
  return await ClientConnection.open({
    address,
    authority,
    socket,
    rawSocket,
    keepAlive,
    ...(serverEnduresPings ? {} : { patienceMs: PATIENCE_MS }),
    idleTimeoutMs: options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
  });
}
