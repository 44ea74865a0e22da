import { existsSync } from 'node:fs';
import { type Address, Cid, type VsockAddress } from './address.ts';
import type { SocketOptions } from './listen-options.ts';
import type { Listening } from './listening.ts';
import { openKeptListening } from './open-listening.ts';
import type { AcceptCids } from './peer.ts';
import { runtimeDirectory, vmDirectories } from './vm-directory.ts';
import { VmListeners } from './vm-listeners.ts';
import { VsockError } from './vsock-error.ts';

/** How an address is listened on. */
export interface ListenOptions extends SocketOptions {
  /** CIDs that may connect; others are closed at once. Everyone, unless given. */
  readonly acceptCids?: AcceptCids | undefined;
  /** Closes the listener. */
  readonly signal?: AbortSignal | undefined;
  /**
   * For `vsock:any:PORT`: by AF_VSOCK, by the directories of VMs with a device in user space, or both. Default `auto`: by
   * AF_VSOCK if this system has it, by directories if it has not, or if there are such directories.
   */
  readonly via?: 'auto' | 'kernel' | 'directories' | 'both' | undefined;
  /** Where VMs have their directories; default `runtimeDirectory()`. */
  readonly runtimeDirectory?: string | undefined;
}

/** Who gets the sockets of an address: one for most, and one more for each VM with a directory. */
export interface SourceEvents {
  /** @param key told again when it goes */
  onOpen(listening: Listening, key: number | undefined): void;
  onGone(key: number): void;
  onError(error: Error): void;
}

/** What keeps an address listened on, beside the sockets that were handed out. */
export interface Sources {
  /** Of the first socket, or as it was asked for. */
  readonly address: Address;
  readonly vms: VmListeners | undefined;
}

/** Opens every socket of an address. @throws VsockError */
export async function openSources(
  address: Address,
  options: ListenOptions,
  events: SourceEvents,
): Promise<Sources> {
  const isForAnyVm = address.kind === 'vsock' && address.cid === Cid.any;
  const { via = 'auto' } = options;
  if (!isForAnyVm || via === 'kernel') {
    const listening = await openKeptListening(address, options);
    events.onOpen(listening, undefined);
    return { address: listening.address, vms: undefined };
  }
  const kernel = via === 'directories' ? undefined : await kernelSocket(address, via === 'auto', options);
  try {
    const runtime = directoriesFor(via, kernel !== undefined, options);
    if (runtime === undefined) return { address: kernel?.address ?? address, vms: undefined };
    const at: VsockAddress = kernel?.address.kind === 'vsock' ? kernel.address : address;
    const vms = new VmListeners(at, runtime, options, {
      onVm: (cid, listening) => events.onOpen(listening, cid),
      onGone: (cid) => events.onGone(cid),
      onError: (error) => events.onError(error),
    });
    await vms.start();
    return { address: at, vms };
  } finally {
    if (kernel) events.onOpen(kernel, undefined);
  }
}

/** AF_VSOCK, if there is such a thing or it must be. */
async function kernelSocket(
  address: VsockAddress,
  isOptional: boolean,
  options: ListenOptions,
): Promise<Listening | undefined> {
  try {
    return await openKeptListening(address, options);
  } catch (error) {
    if (isOptional && error instanceof VsockError && error.code === 'ERR_VSOCK_UNAVAILABLE') return undefined;
    throw error;
  }
}

/** The runtime directory whose VMs are to be listened for. */
function directoriesFor(
  via: ListenOptions['via'],
  hasKernel: boolean,
  { runtimeDirectory: given }: ListenOptions,
): string | undefined {
  if (via !== 'auto' || !hasKernel || given !== undefined) return given ?? runtimeDirectory();
  try {
    const runtime = runtimeDirectory();
    return existsSync(vmDirectories(runtime)) ? runtime : undefined;
  } catch (error) {
    if (error instanceof VsockError) return undefined;
    throw error;
  }
}
