/** The context ids with a meaning of their own: VMADDR_CID_* of linux/vm_sockets.h. Guests have 3 and more. */
export const Cid = {
  hypervisor: 0,
  /** This machine itself, by the vsock_loopback module. */
  local: 1,
  host: 2,
  /** To listen on: every context id that this machine has. */
  any: 0xffffffff,
} as const;

/** VMADDR_PORT_ANY of linux/vm_sockets.h: whoever listens on it is given a free port by the kernel. */
export const VSOCK_PORT_ANY = 0xffffffff;

/** `vsock:CID:PORT`; both are unsigned 32-bit numbers. */
export interface VsockAddress {
  readonly kind: 'vsock';
  readonly cid: number;
  readonly port: number;
}

/**
 * `hybrid:/path:PORT`: a vsock port behind a Unix socket, as Firecracker and Cloud Hypervisor have it. Who connects asks
 * the socket at `path` for the port; who listens has the socket `${path}_${port}`.
 */
export interface HybridAddress {
  readonly kind: 'hybrid';
  readonly path: string;
  readonly port: number;
}

/** `unix:/path`; the path is absolute and below 108 bytes. */
export interface UnixAddress {
  readonly kind: 'unix';
  readonly path: string;
}

/** `unix-abstract:NAME`: Linux's socket names without a file (unix(7)), and so without permissions. */
export interface UnixAbstractAddress {
  readonly kind: 'unix-abstract';
  readonly name: string;
}

/** `unix-fd:N`: a socket that is open already, as descriptor N that the parent process left. */
export interface InheritedAddress {
  readonly kind: 'unix-fd';
  readonly fd: number;
}

/** `tcp:HOST:PORT`; `host` is a name, an IPv4 address or an IPv6 address without its brackets. */
export interface TcpAddress {
  readonly kind: 'tcp';
  readonly host: string;
  readonly port: number;
}

/** Where a stream socket listens or connects to; `kind` is what stands before the first colon of the text. */
export type Address =
  | VsockAddress
  | HybridAddress
  | UnixAddress
  | UnixAbstractAddress
  | InheritedAddress
  | TcpAddress;

/** The text of an address, which `parseAddress` reads back to an equal one. */
export function formatAddress(address: Address): string {
  switch (address.kind) {
    case 'vsock':
      return `vsock:${address.cid === Cid.any ? 'any' : address.cid}:${address.port}`;
    case 'hybrid':
      return `hybrid:${address.path}:${address.port}`;
    case 'unix':
      return `unix:${address.path}`;
    case 'unix-abstract':
      return `unix-abstract:${address.name}`;
    case 'unix-fd':
      return `unix-fd:${address.fd}`;
    case 'tcp':
      return `tcp:${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
  }
}
