import { lstatSync, unlinkSync } from 'node:fs';
import { type Listener, type ListenOptions, listenOn } from '@vm-tools/daemon';
import { close, getpeername, getsockname, type SocketAddress, SystemError } from '@vm-tools/linux';
import { type Address, formatAddress } from '@vm-tools/vsock';

/** A socket that listens, as it is told to the process that 9s becomes when it starts itself over. */
export interface DoorDescription {
  readonly fd: number;
  readonly address: string;
  /** Whether someone else made the socket. */
  readonly isInherited: boolean;
  /** The file of a Unix socket that 9s made. */
  readonly file?: { readonly path: string; readonly dev: string; readonly ino: string };
  /** The guest whose directory the socket is in: whoever connects there is that guest. */
  readonly cid?: number;
}

/** Listens on an address, and knows what to remove in the end. */
export async function openDoor(address: Address, options: ListenOptions): Promise<DoorDescription> {
  const listener: Listener = await listenOn(address, options);
  const description = {
    fd: listener.fd,
    address: formatAddress(listener.address),
    isInherited: address.kind === 'unix-fd',
  };
  if (address.kind !== 'unix') return description;
  const { dev, ino } = lstatSync(address.path, { bigint: true });
  return { ...description, file: { path: address.path, dev: String(dev), ino: String(ino) } };
}

/** A socket that listens: owns its descriptor, and the file that was made for it. */
export class Door {
  readonly fd: number;
  readonly description: DoorDescription;
  /** What the kernel calls it. */
  readonly name: SocketAddress;
  #isOpen = true;

  constructor(description: DoorDescription) {
    this.fd = description.fd;
    this.description = description;
    this.name = getsockname(this.fd);
  }

  /** Whether its clients are guests, which have CIDs. */
  get isForGuests(): boolean {
    return this.description.cid !== undefined || this.name.family === 'vsock';
  }

  /** The guest at the other end of a connection, by its directory or the kernel's word; undefined: gone already, or no guest. */
  cidOf(fd: number): number | undefined {
    if (this.name.family !== 'vsock') return this.description.cid;
    try {
      const peer = getpeername(fd);
      return peer.family === 'vsock' ? peer.cid : undefined;
    } catch (error) {
      if (error instanceof SystemError) return undefined;
      throw error;
    }
  }

  /** Removes the file, if it is still ours, and closes the descriptor. Twice does no harm. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      const { file } = this.description;
      const now = file && lstatSync(file.path, { bigint: true, throwIfNoEntry: false });
      if (now && String(now.dev) === file.dev && String(now.ino) === file.ino) unlinkSync(file.path);
    } finally {
      close(this.fd);
    }
  }
}
