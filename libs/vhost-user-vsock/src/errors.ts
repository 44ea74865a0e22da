/** What every error of this package extends; `code` is stable, the message is for people. */
export class VsockDeviceError extends Error {
  override readonly name: string = 'VsockDeviceError';
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The VMM broke the vhost-user protocol, or asked for what cannot be done; it is disconnected. */
export class VhostUserError extends VsockDeviceError {
  override readonly name = 'VhostUserError';
  /** The message, without that it is about vhost-user. */
  readonly reason: string;

  constructor(reason: string, options?: ErrorOptions) {
    super('ERR_VHOST_USER', `vhost-user: ${reason}`, options);
    this.reason = reason;
  }
}

/** Names of the rings by their index, as seen from the guest (virtio specification, 5.10.2). */
export const RING_NAMES = ['rx', 'tx'] as const;

/** The guest broke the rules of a virtqueue; the ring is stopped, and all connections are reset. */
export class RingError extends VsockDeviceError {
  override readonly name = 'RingError';
  /** `rx` (to the guest) or `tx` (from it). */
  readonly ring: (typeof RING_NAMES)[number];
  /** The message, without that the ring is stopped. */
  readonly reason: string;

  constructor(ring: (typeof RING_NAMES)[number], reason: string) {
    super('ERR_VIRTQUEUE', `the guest's ${ring} ring is stopped: ${reason}`);
    this.ring = ring;
    this.reason = reason;
  }
}

/** Why a connection to the guest did not come about. */
export type ConnectErrorCode =
  | 'ECONNREFUSED'
  | 'ETIMEDOUT'
  | 'ECONNRESET'
  | 'EMFILE'
  | 'ENODEV'
  | 'ERR_DEVICE_CLOSED';

const reasons: Readonly<Record<ConnectErrorCode, string>> = {
  ECONNREFUSED: 'nothing in the guest listens on that port',
  ETIMEDOUT: 'the guest did not answer in time',
  ECONNRESET: 'the guest was reset or went away',
  EMFILE: 'there are as many connections as the device or the process may have',
  ENODEV: 'no guest with a vsock driver is there; wait for its boot and try again',
  ERR_DEVICE_CLOSED: 'the device is closed',
};

/** A connection to the guest did not come about. */
export class GuestConnectError extends VsockDeviceError {
  override readonly name = 'GuestConnectError';
  readonly cid: number;
  readonly port: number;

  constructor(code: ConnectErrorCode, cid: number, port: number, options?: ErrorOptions) {
    super(code, `${code}: connect to vsock:${cid}:${port}: ${reasons[code]}`, options);
    this.cid = cid;
    this.port = port;
  }
}
