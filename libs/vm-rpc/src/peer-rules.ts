import { type AcceptCids, type Address, formatAddress, isLoopback, type Peer } from '@vm-tools/vsock';
import { RpcError } from './rpc-error.ts';

/** Users that may be at the other end of a Unix socket; `'any'` for everybody who can reach it. */
export type AcceptUids = 'any' | Iterable<number>;

export interface PeerRules {
  /** The VMs that may connect: peers without a CID may not then. Default: all, and others too. */
  readonly acceptCids?: AcceptCids | undefined;
  /** The users that may be at the other end of a Unix socket. Default: root, and the one that this process runs as. */
  readonly acceptUids?: AcceptUids | undefined;
}

/** Says why a peer may not be at the other end of a connection, or undefined: it may. */
export type PeerCheck = (peer: Peer | undefined) => string | undefined;

/** @param isEncrypted whether TLS asks the peer who it is */
export function peerCheck({ acceptCids, acceptUids }: PeerRules, isEncrypted = false): PeerCheck {
  const isVm = acceptCids === undefined ? undefined : cidCheck(acceptCids);
  const isUser = uidCheck(acceptUids);
  return (peer) => {
    if (isVm && peer?.kind !== 'vsock') return 'it has no CID, and only some are accepted';
    switch (peer?.kind) {
      case 'vsock':
        return !isVm || isVm(peer.cid) ? undefined : `CID ${peer.cid} is not accepted`;
      case 'hybrid':
        return undefined;
      case 'unix':
        return isUser(peer.uid) ? undefined : `user ${peer.uid} is not accepted`;
      case 'tcp':
        return isEncrypted || isLoopback(peer) ? undefined : 'it is another machine, and there is no TLS';
      case undefined:
        return 'nothing is known of it';
    }
  };
}

/** A set and a function are asked anew each time. */
export function cidCheck(accept: AcceptCids): (cid: number) => boolean {
  if (typeof accept === 'function') return accept;
  const cids = accept instanceof Set ? accept : new Set(accept);
  return (cid) => cids.has(cid);
}

function uidCheck(accept: AcceptUids | undefined): (uid: number) => boolean {
  if (accept === 'any') return () => true;
  const uids = new Set(accept ?? [0, process.geteuid?.() ?? 0]);
  return (uid) => uids.has(uid);
}

/** @throws RpcError for TCP beyond loopback */
export function requireTls(address: Address): void {
  if (address.kind !== 'tcp' || isLoopback(address)) return;
  const problem =
    'other machines are on the way, and nothing would be encrypted: give the option tls, or use a loopback address';
  throw new RpcError({ code: 'ERR_RPC_TLS_REQUIRED', address: formatAddress(address), problem });
}
