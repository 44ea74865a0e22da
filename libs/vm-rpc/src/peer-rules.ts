import { type AcceptCids, type Address, formatAddress, isLoopback, type Peer } from '@vm-tools/vsock';
import { RpcError } from './rpc-error.ts';

/** Users that may be at the other end of a Unix socket; `'any'` for everybody who can reach it. */
export type AcceptUids = 'any' | Iterable<number>;

export interface PeerRules {
  /** The VMs that may connect: peers without a CID may not then. Default: all, and others too. */
  readonly acceptCids?: AcceptCids;
  /** The users that may be at the other end of a Unix socket. Default: root, and the one that this process runs as. */
  readonly acceptUids?: AcceptUids;
}

/** Why a peer may not be at the other end of a connection without TLS, or undefined: it may. */
export function refusal(
  peer: Peer | undefined,
  { acceptCids, acceptUids }: PeerRules,
  isEncrypted = false,
): string | undefined {
  if (acceptCids !== undefined && !(peer?.kind === 'vsock' && isAccepted(acceptCids, peer.cid))) {
    return peer?.kind === 'vsock'
      ? `CID ${peer.cid} is not accepted`
      : 'it has no CID, and only some are accepted';
  }
  switch (peer?.kind) {
    case 'unix':
      return isAcceptedUid(acceptUids, peer.uid) ? undefined : `user ${peer.uid} is not accepted`;
    case 'tcp':
      return isEncrypted || isLoopback({ ...peer })
        ? undefined
        : 'it came over TCP from another machine, without TLS';
    case 'vsock':
    case 'hybrid':
      return undefined;
    case undefined:
      return 'nothing is known of it';
  }
}

/** @throws RpcError for TCP beyond loopback */
export function requireTls(address: Address): void {
  if (address.kind !== 'tcp' || isLoopback(address)) return;
  const problem =
    'other machines are on the way, and nothing would be encrypted: give the option tls, or use a loopback address';
  throw new RpcError({ code: 'ERR_RPC_TLS_REQUIRED', address: formatAddress(address), problem });
}

export function isAccepted(accept: AcceptCids, cid: number): boolean {
  if (typeof accept === 'function') return accept(cid);
  return accept instanceof Set ? accept.has(cid) : [...accept].includes(cid);
}

function isAcceptedUid(accept: AcceptUids | undefined, uid: number): boolean {
  if (accept === 'any') return true;
  return accept === undefined ? uid === 0 || uid === process.geteuid?.() : [...accept].includes(uid);
}
