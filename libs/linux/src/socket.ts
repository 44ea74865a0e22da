import { hot } from './addon.ts';
import { addressText, decodeAddress, encodeAddress, type SocketAddress } from './address.ts';
import { constants } from './constants.ts';
import { check } from './error.ts';

/**
 * recv(2) into `length` bytes of `buffer` from `start`.
 * @param flags `MSG_*`
 * @returns how many bytes came (0: the peer ended), or a negative errno (-EAGAIN: none yet, on a non-blocking
 *   socket; -EFAULT: outside the buffer)
 */
export const recv =
  hot<(fd: number, buffer: Uint8Array, start: number, length: number, flags: number) => number>('recv');

/**
 * send(2) of `length` bytes of `buffer` from `start`. `MSG_NOSIGNAL` is always added.
 * @param flags `MSG_*`
 * @returns how many bytes went, or a negative errno (-EPIPE: the peer is gone; -EFAULT: outside the buffer)
 */
export const send =
  hot<(fd: number, buffer: Uint8Array, start: number, length: number, flags: number) => number>('send');

/**
 * send(2) of all `sendLength` bytes of `from` from `sendStart`, then recv(2) of what comes next into `length` bytes of `to` from `start`: both wait,
 * also on a non-blocking socket, and the one crossing to native code is what a round trip saves. `MSG_NOSIGNAL` is always added.
 * @returns how many bytes came (0: the peer ended), or a negative errno of either (-EPIPE: the peer is gone; -EFAULT: outside the buffers, and
 *   nothing was sent)
 */
export const exchange =
  hot<
    (
      fd: number,
      from: Uint8Array,
      sendStart: number,
      sendLength: number,
      to: Uint8Array,
      start: number,
      length: number,
    ) => number
  >('exchange');

/** Pairs of start and length in bytes, in one buffer; doubles for a buffer of more than 4 GiB. */
export type Ranges = Uint32Array | Float64Array;

/**
 * sendmsg(2) that gathers pieces of one buffer. `MSG_NOSIGNAL` is always added.
 * @param count how many pairs of `ranges`; at most 1024, more is -EINVAL
 * @param flags `MSG_*`
 * @returns how many bytes went, perhaps fewer than asked, or a negative errno (-EFAULT: outside `buffer`, or
 *   fewer pairs in `ranges`)
 */
export const sendv =
  hot<(fd: number, buffer: Uint8Array, ranges: Ranges, count: number, flags: number) => number>('sendv');

/**
 * recvmsg(2) that fills pieces of one buffer, one after the other.
 * @param count how many pairs of `ranges`; at most 1024, more is -EINVAL
 * @param flags `MSG_*`
 * @returns how many bytes came (0: the peer ended), or a negative errno (as {@link recv} and {@link sendv})
 */
export const recvv =
  hot<(fd: number, buffer: Uint8Array, ranges: Ranges, count: number, flags: number) => number>('recvv');

/**
 * sendmsg(2) of `length` bytes of `buffer` from `start`, with descriptors (unix(7) `SCM_RIGHTS`), which stay open
 * here. `MSG_NOSIGNAL` is always added.
 * @param flags `MSG_*`
 * @param descriptors the first `count` of them are sent; at most 253, more is -EINVAL
 * @returns how many bytes went, or a negative errno; the descriptors go with the first byte
 */
export const sendmsg =
  hot<
    (
      fd: number,
      buffer: Uint8Array,
      start: number,
      length: number,
      flags: number,
      descriptors: Int32Array,
      count: number,
    ) => number
  >('sendmsg');

/**
 * recvmsg(2) into `length` bytes of `buffer` from `start`, with the descriptors that came with these bytes: the
 * caller's from then on, and close-on-exec.
 * @param flags `MSG_*`
 * @param descriptors filled from its start, its rest with -1
 * @returns how many bytes came (0: the peer ended), or a negative errno (-EMSGSIZE: more descriptors than there is
 *   room for; the bytes are read, and all the descriptors closed)
 */
export const recvmsg =
  hot<
    (
      fd: number,
      buffer: Uint8Array,
      start: number,
      length: number,
      flags: number,
      descriptors: Int32Array,
    ) => number
  >('recvmsg');

/** What {@link recvmmsg} tells of each message: indices of its {@link MESSAGE_WORDS} numbers. */
export const Message = {
  /** In bytes; with `MSG_TRUNC` among the flags of the call that of the whole message, even if it was longer than its slot. */
  length: 0,
  /** `MSG_TRUNC`: it was longer than its slot; `MSG_CTRUNC`: it had more with it than credentials. */
  flags: 1,
  /** Of the sender, from `SCM_CREDENTIALS` (the socket has `SO_PASSCRED`), else -1. */
  pid: 2,
  uid: 3,
  gid: 4,
} as const;

/** How many numbers {@link recvmmsg} writes for each message. */
export const MESSAGE_WORDS = 5;

/**
 * recvmmsg(2): several datagrams at once, the one of number `i` into `buffer` from `i * slot`. Descriptors that a sender passes are closed.
 *
 * Slots at distances of a large power of two share few lines of the processor's cache: a slot is better a little longer.
 * @param slot bytes for each message
 * @param count how many messages at most, up to 256; more is -EINVAL
 * @param flags `MSG_*`; `MSG_WAITFORONE` waits for the first message alone
 * @param info at least `count * MESSAGE_WORDS` numbers, see {@link Message}
 * @returns how many messages came, or a negative errno (-EAGAIN: none yet, on a non-blocking socket; -EFAULT: `buffer` or
 *   `info` has no room for `count`)
 */
export const recvmmsg =
  hot<
    (fd: number, buffer: Uint8Array, slot: number, count: number, flags: number, info: Int32Array) => number
  >('recvmmsg');

/**
 * accept4(2), close-on-exec.
 * @param flags 0 or `SOCK_NONBLOCK`
 * @returns a descriptor, or a negative errno
 */
export const accept = hot<(fd: number, flags: number) => number>('accept');

/**
 * sendto(2) of `length` bytes of `buffer` from `start`. `MSG_NOSIGNAL` is always added.
 * @param flags `MSG_*`
 * @param address whither, as {@link encodeAddress} makes it
 * @returns how many bytes went, or a negative errno
 */
export const sendto =
  hot<
    (
      fd: number,
      buffer: Uint8Array,
      start: number,
      length: number,
      flags: number,
      address: Uint8Array,
    ) => number
  >('sendto');

/**
 * recvfrom(2) into `length` bytes of `buffer` from `start`.
 * @param flags `MSG_*`
 * @param address filled with the sender's address, cut or followed by zeros; at most 128 bytes, else -EINVAL
 * @returns how many bytes came, or a negative errno (-EAGAIN: none yet, on a non-blocking socket)
 */
export const recvfrom =
  hot<
    (
      fd: number,
      buffer: Uint8Array,
      start: number,
      length: number,
      flags: number,
      address: Uint8Array,
    ) => number
  >('recvfrom');

/** shutdown(2). @param how `SHUT_*` @returns 0 or a negative errno */
export const shutdown = hot<(fd: number, how: number) => number>('shutdown');

/**
 * poll(2) of one descriptor.
 * @param events `POLL*`
 * @param timeoutMs in milliseconds; negative waits for ever, 0 does not wait
 * @returns what happened, `POLL*` (0: timed out), or a negative errno
 */
export const poll = hot<(fd: number, events: number, timeoutMs: number) => number>('poll');

const socketCall = hot<(domain: number, type: number, protocol: number) => number>('socket');
const socketpairCall = hot<(domain: number, type: number, out: Int32Array) => number>('socketpair');
const bindCall = hot<(fd: number, address: Uint8Array, start: number, length: number) => number>('bind');
const connectCall =
  hot<(fd: number, address: Uint8Array, start: number, length: number) => number>('connect');
const listenCall = hot<(fd: number, backlog: number) => number>('listen');
const nameCall = hot<(fd: number, out: Uint8Array) => number>('getsockname');
const peerCall = hot<(fd: number, out: Uint8Array) => number>('getpeername');
const getOption =
  hot<(fd: number, level: number, name: number, out: Int32Array | Uint8Array) => number>('getsockopt');
const setOptionBytes =
  hot<(fd: number, level: number, name: number, value: Uint8Array) => number>('setsockoptBytes');
const localCid = hot<(fd: number) => number>('vsockLocalCid');
const setOption = hot<(fd: number, level: number, name: number, value: number) => number>('setsockopt');

/**
 * socket(2), close-on-exec.
 * @param domain `AF_*`
 * @param type `SOCK_*`, `SOCK_NONBLOCK` allowed
 * @param protocol 0 unless given
 * @returns a descriptor
 * @throws SystemError
 */
export function socket(domain: number, type: number, protocol = 0): number {
  return check(socketCall(domain, type, protocol), 'socket');
}

/**
 * socketpair(2), close-on-exec.
 * @throws SystemError
 */
export function socketpair(domain: number, type: number): [number, number] {
  const ends = new Int32Array(2);
  check(socketpairCall(domain, type, ends), 'socketpair');
  return [ends[0] as number, ends[1] as number];
}

/**
 * bind(2).
 * @throws SystemError with the address
 */
export function bind(fd: number, address: SocketAddress): void {
  const bytes = encodeAddress(address, 'bind');
  check(bindCall(fd, bytes, 0, bytes.length), 'bind', { address: addressText(address) });
}

/**
 * connect(2). On a blocking socket it waits; a non-blocking one may throw EINPROGRESS: it is writable when done, and
 * `getsockopt(fd, SOL_SOCKET, SO_ERROR)` says how it ended.
 * @throws SystemError with the address
 */
export function connect(fd: number, address: SocketAddress): void {
  const bytes = encodeAddress(address, 'connect');
  check(connectCall(fd, bytes, 0, bytes.length), 'connect', { address: addressText(address) });
}

/**
 * listen(2).
 * @throws SystemError
 */
export function listen(fd: number, backlog: number): void {
  check(listenCall(fd, backlog), 'listen');
}

/**
 * getsockname(2): where this socket is. An unbound Unix socket has an empty path.
 * @throws SystemError (EAFNOSUPPORT: neither Unix nor IP nor vsock)
 */
export function getsockname(fd: number): SocketAddress {
  return ask(nameCall, fd, 'getsockname');
}

/**
 * getpeername(2): where the other end is.
 * @throws SystemError (ENOTCONN; EAFNOSUPPORT: neither Unix nor IP nor vsock)
 */
export function getpeername(fd: number): SocketAddress {
  return ask(peerCall, fd, 'getpeername');
}

function ask(call: (fd: number, out: Uint8Array) => number, fd: number, syscall: string): SocketAddress {
  const bytes = new Uint8Array(128); // struct sockaddr_storage
  return decodeAddress(bytes.subarray(0, check(call(fd, bytes), syscall)), syscall);
}

/**
 * getsockopt(2) of an option that is an int.
 * @param level `SOL_SOCKET` or `IPPROTO_*`
 * @throws SystemError
 */
export function getsockopt(fd: number, level: number, name: number): number {
  const value = new Int32Array(1);
  check(getOption(fd, level, name, value), 'getsockopt');
  return value[0] as number;
}

/**
 * setsockopt(2) of an option that is an int.
 * @param level `SOL_SOCKET` or `IPPROTO_*`
 * @throws SystemError
 */
export function setsockopt(fd: number, level: number, name: number, value: number): void {
  check(setOption(fd, level, name, value), 'setsockopt');
}

/**
 * getsockopt(2) of an option that is a structure.
 * @param out where it is written
 * @returns its size in bytes
 * @throws SystemError
 */
export function getsockoptBytes(fd: number, level: number, name: number, out: Uint8Array): number {
  return check(getOption(fd, level, name, out), 'getsockopt');
}

/**
 * setsockopt(2) of an option that is a structure.
 * @throws SystemError
 */
export function setsockoptBytes(fd: number, level: number, name: number, value: Uint8Array): void {
  check(setOptionBytes(fd, level, name, value), 'setsockopt');
}

/**
 * The context id of this machine (ioctl `IOCTL_VM_SOCKETS_GET_LOCAL_CID` of linux/vm_sockets.h); 0xffffffff: none.
 * @param fd of /dev/vsock
 * @throws SystemError
 */
export function vsockLocalCid(fd: number): number {
  return check(localCid(fd), 'ioctl');
}

/** Who the process at the other end of a Unix socket was when it connected, or made the pair. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * The kernel's word on who is at the other end of a Unix socket (unix(7) `SO_PEERCRED`).
 * @throws SystemError
 */
export function peerCredentials(fd: number): PeerCredentials {
  const { SOL_SOCKET, SO_PEERCRED } = constants;
  const ucred = new Int32Array(3); // pid_t pid; uid_t uid; gid_t gid
  check(getOption(fd, SOL_SOCKET, SO_PEERCRED, ucred), 'getsockopt');
  const [pid = 0, uid = 0, gid = 0] = ucred;
  return { pid, uid: uid >>> 0, gid: gid >>> 0 };
}
