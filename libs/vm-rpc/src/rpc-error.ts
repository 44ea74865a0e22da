/**
 * - `ERR_RPC_TLS_REQUIRED`: TCP beyond loopback without TLS.
 * - `ERR_RPC_PEER_REFUSED`: whoever is at the other end is not one of those that may be.
 * - `ERR_RPC_LIMIT`: the other end has as many connections as it may have.
 * - `ERR_RPC_SILENT`: the other end left a ping unanswered.
 * - `ERR_RPC_LOST`: the connection ended under a call.
 * - `ERR_RPC_CLOSED`: it was closed on this side.
 */
export type RpcErrorCode =
  | 'ERR_RPC_TLS_REQUIRED'
  | 'ERR_RPC_PEER_REFUSED'
  | 'ERR_RPC_LIMIT'
  | 'ERR_RPC_SILENT'
  | 'ERR_RPC_LOST'
  | 'ERR_RPC_CLOSED';

export interface RpcErrorFacts {
  readonly code: RpcErrorCode;
  /** Where it was connected to, or listened; as text. */
  readonly address: string;
  /** What is wrong, and what to do where that is known. */
  readonly problem: string;
  readonly cause?: unknown;
}

/**
 * A connection that cannot be, or is no more. Of a call it is the `cause`: what fails there is a `ConnectError` with the
 * gRPC status.
 */
export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: RpcErrorCode;
  /** Where it was connected to, or listened; as text. */
  readonly address: string;

  constructor({ code, address, problem, cause }: RpcErrorFacts) {
    super(`${address}: ${problem}`, { cause });
    this.code = code;
    this.address = address;
  }
}
