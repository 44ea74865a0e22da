import * as linux from '@vm-tools/linux';

const { AF_VSOCK } = linux.constants;

// Options of the level AF_VSOCK, linux/vm_sockets.h. Sizes are u64, the time is a struct timeval.
const SO_VM_SOCKETS_BUFFER_SIZE = 0;
const SO_VM_SOCKETS_BUFFER_MIN_SIZE = 1;
const SO_VM_SOCKETS_BUFFER_MAX_SIZE = 2;
const SO_VM_SOCKETS_CONNECT_TIMEOUT = 6;

/** How much a vsock connection buffers, in bytes. */
export interface BufferSizes {
  readonly size: number;
  /** What `size` can be set to at least and at most. */
  readonly min: number;
  readonly max: number;
}

/** @param fd an AF_VSOCK socket @throws SystemError */
export function bufferSizes(fd: number): BufferSizes {
  const ask = (name: number) => {
    const value = new BigUint64Array(1);
    linux.getsockoptBytes(fd, AF_VSOCK, name, new Uint8Array(value.buffer));
    return Number(value[0]);
  };
  return {
    size: ask(SO_VM_SOCKETS_BUFFER_SIZE),
    min: ask(SO_VM_SOCKETS_BUFFER_MIN_SIZE),
    max: ask(SO_VM_SOCKETS_BUFFER_MAX_SIZE),
  };
}

/**
 * Sets how much a connection buffers, and the limits with it where they are in the way.
 * @param fd an AF_VSOCK socket, before it connects or listens
 * @throws SystemError
 */
export function setBufferSize(fd: number, size: number): void {
  const set = (name: number, value: number) =>
    linux.setsockoptBytes(fd, AF_VSOCK, name, new Uint8Array(BigUint64Array.of(BigInt(value)).buffer));
  const { min, max } = bufferSizes(fd);
  if (size < min) set(SO_VM_SOCKETS_BUFFER_MIN_SIZE, size);
  if (size > max) set(SO_VM_SOCKETS_BUFFER_MAX_SIZE, size);
  set(SO_VM_SOCKETS_BUFFER_SIZE, size);
}

/** The kernel gives up connecting after 2 s unless told otherwise. @throws SystemError */
export function setConnectTimeout(fd: number, timeoutMs: number): void {
  const time = BigInt64Array.of(
    BigInt(Math.floor(timeoutMs / 1000)),
    BigInt(Math.ceil(timeoutMs % 1000) * 1000),
  );
  linux.setsockoptBytes(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, new Uint8Array(time.buffer));
}
