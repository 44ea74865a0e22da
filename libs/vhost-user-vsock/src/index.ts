export {
  type ConnectErrorCode,
  GuestConnectError,
  RingError,
  VhostUserError,
  VsockDeviceError,
} from './errors.ts';
export type { QemuLaunch, QemuMachine } from './qemu.ts';
export {
  type ConnectOptions,
  type GuestAddress,
  type GuestSocket,
  VsockDevice,
  type VsockDeviceEvents,
  type VsockDeviceOptions,
} from './vsock-device.ts';
