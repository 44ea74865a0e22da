export type {
  Address,
  HybridAddress,
  InheritedAddress,
  TcpAddress,
  UnixAbstractAddress,
  UnixAddress,
  VsockAddress,
} from './address.ts';
export { Cid, formatAddress, VSOCK_PORT_ANY } from './address.ts';
export type { AddressErrorCode } from './address-error.ts';
export { AddressError } from './address-error.ts';
export { isLoopback } from './loopback.ts';
export type { AddressPurpose } from './parse-address.ts';
export { parseAddress } from './parse-address.ts';
