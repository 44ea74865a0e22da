export { connectQmp, type QmpConnection } from './connect-qmp.ts';
export {
  ProgramNotFoundError,
  QmpError,
  type VmExit,
  VmExitedError,
  VmmError,
  VmOptionsError,
  VmTimeoutError,
} from './errors.ts';
export type { QmpClient, QmpEvent } from './qemu/qmp-client.ts';
export { type ReplugOptions, replugVsock } from './replug-vsock.ts';
export { startVm } from './start-vm.ts';
export type { Vm } from './vm.ts';
export type { ConsoleWaitOptions, VmConsole } from './vm-console.ts';
export type {
  StartOptions,
  StopOptions,
  VmDisk,
  VmForward,
  VmNetwork,
  VmOptions,
  VmPort,
  VmVsock,
} from './vm-options.ts';
