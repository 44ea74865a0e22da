import type { Address } from './address.ts';

/** The other end of a connection that came over vsock. */
export interface VsockPeer {
  readonly kind: 'vsock';
  readonly cid: number;
  /** Undefined over a directory. */
  readonly port: number | undefined;
  /**
   * Who vouches for the CID: the kernel, or the directory `<runtime directory>/vsock/<cid>`, in which nobody but the
   * device of that VM can have a connection made.
   */
  readonly by: 'kernel' | 'directory';
}

/** Whoever has the hybrid socket at `path`; `port` is the one that is talked to. */
export interface HybridPeer {
  readonly kind: 'hybrid';
  readonly path: string;
  readonly port: number;
}

/** The process that connected, or listens (unix(7) `SO_PEERCRED`). */
export interface UnixPeer {
  readonly kind: 'unix';
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

export interface TcpPeer {
  readonly kind: 'tcp';
  readonly host: string;
  readonly port: number;
}

/** Who is at the other end of a connection. */
export type Peer = VsockPeer | HybridPeer | UnixPeer | TcpPeer;

/** What is known of a connection. Kept in a property, for proxies like that of an HTTP/2 session hand it on. */
interface Ends {
  readonly peer: Peer;
  readonly local: Address;
}

const ends = Symbol.for('vm-tools.vsock.ends');

/** Who is at the other end: of a socket of this package, `request.socket` of HTTP/1, `session.socket` of HTTP/2, a TLS socket on top. */
export function peerOf(socket: object): Peer | undefined {
  return endsOf(socket)?.peer;
}

/** The own end: where the listener is that accepted it; of a dialed connection its CID and port, or what was dialed. */
export function localOf(socket: object): Address | undefined {
  return endsOf(socket)?.local;
}

/** Of the socket, or of what Node.js has put it into: TLS keeps it as `_parent`, and what wraps a Duplex as `stream`. */
function endsOf(socket: object): Ends | undefined {
  for (let at: unknown = socket; typeof at === 'object' && at !== null; ) {
    const {
      [ends]: known,
      _parent: parent,
      stream,
    } = at as { [ends]?: Ends; _parent?: unknown; stream?: unknown };
    if (known) return known;
    at = parent ?? stream;
  }
  return undefined;
}

/** Notes both ends on a socket, and returns it. */
export function withEnds<T extends object>(socket: T, peer: Peer, local: Address): T {
  return Object.defineProperty(socket, ends, { value: { peer, local } satisfies Ends });
}

/** CIDs that may connect. A Set or a function is asked anew each time. */
export type AcceptCids = Iterable<number> | ((cid: number) => boolean);

/** Asks whether a peer may connect: by its CID, without which nobody may. */
export function admission(accept: AcceptCids | undefined): (peer: Peer) => boolean {
  if (accept === undefined) return () => true;
  const cids = typeof accept === 'function' || accept instanceof Set ? accept : new Set(accept);
  return (peer) =>
    peer.kind === 'vsock' && (typeof cids === 'function' ? cids(peer.cid) : cids.has(peer.cid));
}
