import { hot } from './addon.ts';
import { constants } from './constants.ts';
import { Errno } from './errno.ts';
import { check, SystemError } from './error.ts';

/**
 * Where a socket is: a Unix path, a name in the abstract namespace, a literal IP address and a port, or a context id
 * and a port of AF_VSOCK.
 */
export type SocketAddress =
  | { readonly family: 'unix'; readonly path: string }
  | { readonly family: 'unix-abstract'; readonly name: string }
  | { readonly family: 'inet' | 'inet6'; readonly host: string; readonly port: number }
  | { readonly family: 'vsock'; readonly cid: number; readonly port: number };

// struct sockaddr_un, unix(7): u16 family, path. struct sockaddr_in, ip(7): u16 family, be16 port, 4 bytes.
// struct sockaddr_in6, ipv6(7): u16 family, be16 port, u32 flow, 16 bytes, u32 scope.
const PATH = 2;
const PATH_MAX = 108;
const PORT = 2;
const SHAPES = {
  inet: { family: 'AF_INET', at: 4, bytes: 4, size: 16 },
  inet6: { family: 'AF_INET6', at: 8, bytes: 16, size: 28 },
} as const;
// struct sockaddr_vm of linux/vm_sockets.h: u16 family, u16 reserved, u32 port, u32 cid, 4 bytes.
const VSOCK = { port: 4, cid: 8, size: 16 } as const;

const parseIp = hot<(family: number, text: string, out: Uint8Array) => number>('parseIp');
const formatIp = hot<(family: number, address: Uint8Array, out: Uint8Array) => number>('formatIp');

/** An address as people write it, for messages: `unix:/run/x`, `unix-abstract:x`, `127.0.0.1:80`, `[::1]:80`, `vsock:3:80`. */
export function addressText(address: SocketAddress): string {
  switch (address.family) {
    case 'unix':
      return `unix:${address.path}`;
    case 'unix-abstract':
      return `unix-abstract:${address.name}`;
    case 'inet':
      return `${address.host}:${address.port}`;
    case 'inet6':
      return `[${address.host}]:${address.port}`;
    case 'vsock':
      return `vsock:${address.cid}:${address.port}`;
  }
}

/**
 * The struct sockaddr of an address.
 * @throws SystemError of `syscall`: EINVAL for an empty path, one with NUL, a host that is not a literal address,
 *   a port outside 0-65535, or of vsock a number that has not 32 bits; ENAMETOOLONG for a path of more than 107 bytes or a name of more than 107
 */
export function encodeAddress(address: SocketAddress, syscall: string): Uint8Array {
  const fail = (errno: number): never => {
    throw new SystemError(errno, syscall, { address: addressText(address) });
  };
  if (address.family === 'unix' || address.family === 'unix-abstract') {
    const path = address.family === 'unix' ? `${address.path}\0` : `\0${address.name}`;
    const bytes = Buffer.from(path);
    if (address.family === 'unix' && (address.path === '' || address.path.includes('\0'))) fail(Errno.EINVAL);
    if (bytes.length > PATH_MAX) fail(Errno.ENAMETOOLONG);
    const out = Buffer.alloc(PATH + bytes.length);
    writeFamily(out, constants.AF_UNIX);
    bytes.copy(out, PATH);
    return out;
  }
  if (address.family === 'vsock') {
    const out = Buffer.alloc(VSOCK.size);
    writeFamily(out, constants.AF_VSOCK);
    for (const field of ['port', 'cid'] as const) {
      const value = address[field];
      if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) fail(Errno.EINVAL);
      out.writeUInt32LE(value, VSOCK[field]);
    }
    return out;
  }
  const { host, port } = address;
  const shape = SHAPES[address.family];
  const family = constants[shape.family];
  const out = Buffer.alloc(shape.size);
  if (!Number.isInteger(port) || port < 0 || port > 0xffff) fail(Errno.EINVAL);
  writeFamily(out, family);
  out.writeUInt16BE(port, PORT);
  check(parseIp(family, host, out.subarray(shape.at)), syscall, { address: addressText(address) });
  return out;
}

/**
 * The address in a struct sockaddr. A Unix socket that has no name gives an empty path.
 * @throws SystemError of `syscall`: EAFNOSUPPORT for another family
 */
export function decodeAddress(bytes: Uint8Array, syscall: string): SocketAddress {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const family = readFamily(data);
  if (family === constants.AF_UNIX) {
    if (data.length > PATH && data[PATH] === 0) {
      return { family: 'unix-abstract', name: data.toString('utf8', PATH + 1) };
    }
    const path = data.toString('utf8', PATH);
    const end = path.indexOf('\0');
    return { family: 'unix', path: end < 0 ? path : path.slice(0, end) };
  }
  if (family === constants.AF_VSOCK && data.length >= VSOCK.size) {
    return { family: 'vsock', cid: data.readUInt32LE(VSOCK.cid), port: data.readUInt32LE(VSOCK.port) };
  }
  for (const name of ['inet', 'inet6'] as const) {
    const shape = SHAPES[name];
    if (family !== constants[shape.family] || data.length < shape.size) continue;
    const text = Buffer.alloc(64);
    const length = check(formatIp(family, data.subarray(shape.at, shape.at + shape.bytes), text), syscall);
    return { family: name, host: text.toString('latin1', 0, length), port: data.readUInt16BE(PORT) };
  }
  throw new SystemError(Errno.EAFNOSUPPORT, syscall);
}

// In the byte order of the machine, as all of vsock: little-endian wherever the addon is built.
function writeFamily(out: Buffer, family: number): void {
  out.writeUInt16LE(family, 0);
}

function readFamily(bytes: Buffer): number {
  return bytes.length < PATH ? constants.AF_UNSPEC : bytes.readUInt16LE(0);
}
