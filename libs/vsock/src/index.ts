export type { VsockServerOptions } from './accepting-server.ts';
export { type PassedSocket, passedSockets } from './activation.ts';
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
export { type AdoptOptions, type SocketStyle, socketStyle } from './adoption.ts';
export { type ConnectOptions, connect, type WaitOptions } from './connect.ts';
export {
  type Datagram,
  type DatagramOptions,
  type DatagramSocket,
  openDatagramSocket,
} from './datagram.ts';
export { type DialOptions, dial, fromFd } from './dial.ts';
export { dialWithRetry, type RetryOptions } from './dial-with-retry.ts';
export { type Features, getLocalCid, vsockFeatures } from './features.ts';
export { connectHybrid, type HybridConnectOptions } from './hybrid.ts';
export { type Listener, listen, type StreamListenOptions } from './listen.ts';
export { type DescriptorEvents, type DescriptorListener, listenDescriptors } from './listen-descriptors.ts';
export type { SocketOptions } from './listen-options.ts';
export type { Listening } from './listening.ts';
export { isLoopback } from './loopback.ts';
export type { MessageSocket } from './message-socket.ts';
export { openListening } from './open-listening.ts';
export type { AddressPurpose } from './parse-address.ts';
export { parseAddress } from './parse-address.ts';
export {
  type AcceptCids,
  type HybridPeer,
  localOf,
  type Peer,
  peerOf,
  type TcpPeer,
  type UnixPeer,
  type VsockPeer,
} from './peer.ts';
export {
  connectSeqpacket,
  listenSeqpacket,
  type SeqpacketConnectOptions,
  type SeqpacketListener,
  type SeqpacketListenOptions,
} from './seqpacket.ts';
export { createServer, type VsockListenOptions, type VsockServer } from './server.ts';
export type { ListenOptions } from './sources.ts';
export {
  hybridListenerPath,
  makeVmDirectory,
  RUNTIME_DIRECTORY_VARIABLE,
  runtimeDirectory,
  vmDirectory,
  vmSocketPath,
} from './vm-directory.ts';
export { VsockError, type VsockErrorFacts } from './vsock-error.ts';
export { type BufferSizes, bufferSizes, setBufferSize } from './vsock-options.ts';
