import { type Address, Cid } from './address.ts';
import { ipv6Groups, isIpv4 } from './ip.ts';

/**
 * Whether nothing but this machine can be at the other end. What cannot be told from the address is not: a name other
 * than `localhost`, a hybrid socket (a VM is behind it) and an inherited descriptor, whose own address tells.
 */
export function isLoopback(address: Address): boolean {
  switch (address.kind) {
    case 'unix':
    case 'unix-abstract':
      return true;
    case 'vsock':
      return address.cid === Cid.local;
    case 'tcp':
      return isLoopbackHost(address.host);
    case 'hybrid':
    case 'unix-fd':
      return false;
  }
}

function isLoopbackHost(host: string): boolean {
  // RFC 6761, 6.3: these names are never anything else.
  if (/^(?:.+\.)?localhost\.?$/i.test(host)) return true;
  if (isIpv4(host)) return host.startsWith('127.');
  const groups = ipv6Groups(host);
  if (!groups) return false;
  const zeros = (count: number) => groups.slice(0, count).every((group) => group === 0);
  // ::1, or an IPv4 address in its IPv6 form, ::ffff:127.0.0.0/104.
  return (
    (zeros(7) && groups[7] === 1) || (zeros(5) && groups[5] === 0xffff && (groups[6] ?? 0) >>> 8 === 127)
  );
}
