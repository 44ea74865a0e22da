import { getsockname, SystemError } from '@vm-tools/linux';
import {
  type Address,
  hybridListenerPath,
  makeVmDirectory,
  openListening,
  type VsockAddress,
  VsockError,
  vmSocketPath,
} from '@vm-tools/vsock';
import { type DoorDescription, openDoor } from './door.ts';

/** Whether guests connect there: to a port of vsock, or a socket of AF_VSOCK that was passed. */
export function isForGuests(address: Address): boolean {
  if (address.kind !== 'unix-fd') return address.kind === 'vsock';
  try {
    return getsockname(address.fd).family === 'vsock';
  } catch (error) {
    // What is wrong with it is said when it is opened.
    if (error instanceof SystemError) return false;
    throw error;
  }
}

/**
 * Listens for guests on a vsock port: in the directory of each, where its device in user space connects, and on AF_VSOCK where the
 * kernel has it, which tells who connects.
 */
export async function openGuestDoors(
  address: VsockAddress,
  cids: readonly number[],
): Promise<DoorDescription[]> {
  const doors: DoorDescription[] = [];
  for (const cid of cids) {
    makeVmDirectory(cid);
    const path = hybridListenerPath(vmSocketPath(cid), address.port);
    doors.push({ ...(await openDoor({ kind: 'unix', path }, {})), cid });
  }
  const kernel = await openKernelDoor(address);
  return kernel ? [...doors, kernel] : doors;
}

async function openKernelDoor(address: VsockAddress): Promise<DoorDescription | undefined> {
  try {
    const { fd } = await openListening(address);
    return { fd, address: `vsock:${address.port}`, isInherited: false };
  } catch (error) {
    if (error instanceof VsockError && error.code === 'ERR_VSOCK_UNAVAILABLE') return undefined;
    throw error;
  }
}
