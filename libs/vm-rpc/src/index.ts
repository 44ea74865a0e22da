export { admitCids, callerKey, callerOf } from './caller.ts';
export type { HandlerError, HandlerErrorListener } from './handler-errors.ts';
export { HealthStatus, type ServiceHealth } from './health.ts';
export type { KeepAliveOptions } from './keep-alive.ts';
export type { AcceptUids, PeerRules } from './peer-rules.ts';
export { RpcError, type RpcErrorCode } from './rpc-error.ts';
export { type CloseOptions, RpcServer } from './rpc-server.ts';
export { type ServeRpcOptions, serveRpc } from './serve.ts';
export {
  createVmTransport,
  DEFAULT_MAX_MESSAGE_BYTES,
  type VmTransport,
  type VmTransportOptions,
} from './transport.ts';
