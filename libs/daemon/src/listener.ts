import * as linux from '@vm-tools/linux';
import type { Address, SocketOptions } from '@vm-tools/vsock';

/** How a daemon listens. */
export type ListenOptions = Pick<SocketOptions, 'mode' | 'gid' | 'insecure' | 'backlog'>;

/** A listening stream socket: owns its descriptor, and the file of the Unix socket that it made. */
export class Listener implements Disposable {
  /** Non-blocking, close-on-exec. */
  readonly fd: number;
  /** Where it listens: a TCP port of 0 is now the one that the kernel chose. */
  readonly address: Address;
  /** What the kernel calls it: an inherited socket may be of any family. */
  readonly name: linux.SocketAddress;
  readonly #removeFile: () => void;
  #open = true;

  constructor(
    fd: number,
    address: Address,
    name: linux.SocketAddress,
    removeFile: () => void = () => undefined,
  ) {
    this.fd = fd;
    this.address = address;
    this.name = name;
    this.#removeFile = removeFile;
  }

  /** Removes the socket file, if it is still ours, and closes the descriptor. Twice does no harm. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    try {
      this.#removeFile();
    } finally {
      linux.close(this.fd);
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
