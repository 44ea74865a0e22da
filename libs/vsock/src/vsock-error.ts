import { type Address, formatAddress } from './address.ts';

/**
 * Beside the names of system errors (`ECONNRESET`, `ENODEV`, `EADDRINUSE`...):
 *
 * - `ERR_VSOCK_UNAVAILABLE`: this system has no AF_VSOCK.
 * - `ERR_VSOCK_TIMEOUT`: it took longer than it may.
 * - `ERR_HYBRID_REFUSED`, `ERR_HYBRID_PROTOCOL`: whoever has the hybrid socket turned the port down, or speaks otherwise.
 * - `ERR_NOT_PRIVATE`: others than the owner could be behind the Unix socket, or reach it.
 * - `ERR_ADDRESS_IN_USE`, `ERR_NOT_A_SOCKET`, `ERR_UNFIT_DESCRIPTOR`, `ERR_INSECURE_ADDRESS`: what cannot be listened on.
 * - `ERR_MESSAGE_SIZE`: a message that is empty, or longer than the peer has room for.
 * - `ERR_CLOSED`: it was closed on this side.
 * - `ERR_NO_RUNTIME_DIRECTORY`: nothing says where VMs have their directories.
 */
export interface VsockErrorFacts {
  readonly code: string;
  /** What was tried, as in "cannot ... ADDRESS". */
  readonly operation: 'connect to' | 'listen on' | 'accept on' | 'send to' | 'receive from' | 'use';
  readonly address: Address | string;
  readonly problem: string;
  /** What to do; the usual one of the code unless given. */
  readonly remedy?: string | undefined;
  readonly cause?: unknown;
}

const MODULES =
  'for a VM of this host modprobe vhost_vsock and start it, in a guest modprobe vmw_vsock_virtio_transport, ' +
  'for this machine itself modprobe vsock_loopback';

/** What to do about the errors of the kernel, by operation where it makes a difference. */
const REMEDIES: Readonly<Record<string, string | undefined>> = {
  ERR_VSOCK_UNAVAILABLE: `load the kernel's modules: ${MODULES}`,
  ERR_VSOCK_TIMEOUT: 'see that the VM runs, or allow more time with timeoutMs',
  ERR_NOT_PRIVATE: 'use a directory that only its owner may write to, or allow it with allowAnyUser',
  ERR_ADDRESS_IN_USE: 'end the program that listens there, or choose another address',
  ERR_INSECURE_ADDRESS: 'listen on 127.0.0.1 or [::1], or allow it with insecure',
  ERR_NOT_A_SOCKET: 'name another path, or remove what is there if it is not needed',
  ERR_UNFIT_DESCRIPTOR: 'pass a stream socket that listens',
  'listen on ENODEV': `no transport of this system has it: ${MODULES}`,
  'listen on EADDRNOTAVAIL': `listen on the CID any or on one that this system has: ${MODULES}`,
  'listen on EACCES': 'run as a user who may: ports below 1024 take CAP_NET_BIND_SERVICE',
  'listen on EADDRINUSE': 'end the program that listens there, or choose another address',
  'connect to ENODEV': `there is no way to that CID: ${MODULES}`,
  'connect to ECONNRESET': 'see that a program listens on that port, and that it is not overrun',
  'connect to ECONNREFUSED': 'see that the program which has the socket still runs',
  'connect to ETIMEDOUT': 'see that the VM runs and its kernel has virtio-vsock',
  'connect to ENOENT': 'see that the path is right and the program which makes the socket runs',
  'use EACCES': 'run as root, or let this user read it: chmod a+r /dev/vsock',
  'connect to EACCES': 'run as the user that the socket belongs to',
};

/** Something about a connection between host and guest did not work: what, where, why, what to do. */
export class VsockError extends Error {
  override readonly name = 'VsockError';
  readonly code: string;
  /** The address as text. */
  readonly address: string;
  readonly problem: string;
  readonly remedy: string | undefined;

  constructor({ code, operation, address, problem, remedy, cause }: VsockErrorFacts) {
    const text = typeof address === 'string' ? address : formatAddress(address);
    const what = remedy ?? REMEDIES[`${operation} ${code}`] ?? REMEDIES[code];
    super(`cannot ${operation} ${text}: ${problem}${what ? `; ${what}` : ''}`, { cause });
    this.code = code;
    this.address = text;
    this.problem = problem;
    this.remedy = what;
  }
}

/** An error of a system call, with the address it was about; anything else as it is. */
export function explained(
  error: unknown,
  operation: VsockErrorFacts['operation'],
  address: Address | string,
): unknown {
  if (!(error instanceof Error) || !('syscall' in error && 'code' in error)) return error;
  const isFamily = error.code === 'EAFNOSUPPORT' && error.syscall === 'socket';
  const code = isFamily ? 'ERR_VSOCK_UNAVAILABLE' : String(error.code);
  const problem = isFamily ? 'this kernel has no AF_VSOCK' : error.message;
  return new VsockError({ code, operation, address, problem, cause: error });
}
