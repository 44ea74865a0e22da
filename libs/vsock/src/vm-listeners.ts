import { type FSWatcher, watch as watchFolder } from 'node:fs';
import type { VsockAddress } from './address.ts';
import type { SocketOptions } from './listen-options.ts';
import { openUnixPath } from './listen-unix.ts';
import type { Listening } from './listening.ts';
import {
  hybridListenerPath,
  makeVmDirectories,
  privateVms,
  vmDirectories,
  vmSocketPath,
} from './vm-directory.ts';
import { explained } from './vsock-error.ts';

/** What is asked of the owner of VM listeners. */
export interface VmListenerEvents {
  /** A VM's directory is there, and so is a socket in it for the port: the callee's, until `onGone`. */
  onVm(cid: number, listening: Listening): void;
  /** The directory is gone, or no longer private. */
  onGone(cid: number): void;
  /** A VM cannot be listened for; tried again when its directory changes. */
  onError(error: Error): void;
}

/**
 * Keeps a listening socket for one port in the directory of every VM, as VMs come and go: what guests reach that have a device
 * in user space. The kernel vouches for nothing here: a peer's CID is that of the directory, which nobody else can enter.
 */
export class VmListeners implements Disposable {
  readonly #address: VsockAddress;
  readonly #runtime: string;
  readonly #options: SocketOptions;
  readonly #events: VmListenerEvents;
  readonly #known = new Map<number, string>();
  readonly #watcher: FSWatcher;
  #round: Promise<void> = Promise.resolve();
  #isOpen = true;

  /** @throws VsockError ERR_NOT_PRIVATE; system errors */
  constructor(address: VsockAddress, runtime: string, options: SocketOptions, events: VmListenerEvents) {
    this.#address = address;
    this.#runtime = runtime;
    this.#options = options;
    this.#events = events;
    makeVmDirectories(runtime);
    // Made before the first look: what comes in between is looked at twice.
    this.#watcher = watchFolder(vmDirectories(runtime), () => this.#look());
    this.#watcher.on('error', (error) => events.onError(error));
  }

  /** Resolves when every VM that is there now is listened for. */
  async start(): Promise<void> {
    this.#look();
    await this.#round;
  }

  ref(): void {
    this.#watcher.ref();
  }

  unref(): void {
    this.#watcher.unref();
  }

  /** Ends it; the sockets are their owner's. */
  close(): void {
    this.#isOpen = false;
    this.#watcher.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** One look after the other. */
  #look(): void {
    this.#round = this.#round
      .then(() => this.#compare())
      .catch((error: Error) => this.#events.onError(error));
  }

  async #compare(): Promise<void> {
    if (!this.#isOpen) return;
    const there = privateVms(this.#runtime);
    for (const [cid, identity] of this.#known) {
      if (there.get(cid) === identity) continue;
      this.#known.delete(cid);
      this.#events.onGone(cid);
    }
    for (const [cid, identity] of there) {
      if (!this.#known.has(cid) && this.#isOpen) await this.#open(cid, identity);
    }
  }

  async #open(cid: number, identity: string): Promise<void> {
    const { port } = this.#address;
    const path = hybridListenerPath(vmSocketPath(cid, this.#runtime), port);
    const address: VsockAddress = { kind: 'vsock', cid, port };
    try {
      const socket = await openUnixPath({ kind: 'unix', path }, this.#options);
      const listening: Listening = {
        ...socket,
        address,
        identify: () => ({ kind: 'vsock', cid, port: undefined, by: 'directory' }),
      };
      this.#known.set(cid, identity);
      this.#events.onVm(cid, listening);
    } catch (error) {
      // A VM that went meanwhile is no trouble.
      if (privateVms(this.#runtime).get(cid) !== identity) return;
      this.#events.onError(explained(error, 'listen on', address) as Error);
    }
  }
}
