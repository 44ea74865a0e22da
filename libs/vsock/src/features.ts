import { closeSync, openSync } from 'node:fs';
import * as linux from '@vm-tools/linux';
import { Cid, VSOCK_PORT_ANY } from './address.ts';
import { explained, VsockError } from './vsock-error.ts';

const { AF_VSOCK, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM } = linux.constants;
const DEVICE = '/dev/vsock';

/** What of AF_VSOCK this system has, by the kernel's own answers. */
export interface Features {
  /** Whether there are AF_VSOCK sockets at all. */
  readonly available: boolean;
  /** This machine's CID; undefined: it has none. */
  readonly localCid: number | undefined;
  /** The transports: to oneself (`vsock_loopback`), to VMs of this host (`vhost_vsock`), to the host of this VM. */
  readonly transports: { readonly loopback: boolean; readonly guests: boolean; readonly host: boolean };
  readonly seqpacket: boolean;
  /** No transport of virtio has datagrams. */
  readonly datagram: boolean;
  /** For each transport that is absent, what loads it. */
  readonly remedies: readonly string[];
}

/**
 * The CID of this machine: of a guest its own, of a host with guests 2.
 * @throws VsockError ERR_VSOCK_UNAVAILABLE: there is no AF_VSOCK, or no CID; EACCES
 */
export function getLocalCid(): number {
  const fd = openDevice();
  try {
    const cid = linux.vsockLocalCid(fd);
    if (cid === Cid.any) throw unavailable('this machine has no CID');
    return cid;
  } finally {
    closeSync(fd);
  }
}

function openDevice(): number {
  try {
    return openSync(DEVICE, 'r');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENODEV') throw unavailable('this kernel has no AF_VSOCK', cause);
    throw explained(cause, 'use', DEVICE);
  }
}

function unavailable(problem: string, cause?: unknown): VsockError {
  return new VsockError({ code: 'ERR_VSOCK_UNAVAILABLE', operation: 'use', address: DEVICE, problem, cause });
}

/** Finds out by making sockets, which connect to nothing. Never throws for what is merely absent. */
export function vsockFeatures(): Features {
  const loopback = canBind(SOCK_STREAM, Cid.local);
  const guests = canBind(SOCK_STREAM, Cid.host);
  const localCid = unless(() => getLocalCid());
  const host = localCid !== undefined && localCid > Cid.host;
  const remedies = [
    ...(loopback ? [] : ['loopback: modprobe vsock_loopback']),
    ...(guests || host ? [] : ['guests, on their host: modprobe vhost_vsock']),
    ...(guests || host
      ? []
      : ['host, in a guest: modprobe vmw_vsock_virtio_transport, and give the VM a vsock device']),
  ];
  return {
    available: canBind(SOCK_STREAM, Cid.any),
    localCid,
    transports: { loopback, guests, host },
    seqpacket: canBind(SOCK_SEQPACKET, Cid.any),
    datagram: canBind(SOCK_DGRAM, Cid.any),
    remedies,
  };
}

function canBind(type: number, cid: number): boolean {
  let fd = -1;
  try {
    fd = linux.keptSocket(AF_VSOCK, type);
    linux.bind(fd, { family: 'vsock', cid, port: VSOCK_PORT_ANY });
    return true;
  } catch (error) {
    if (error instanceof linux.SystemError) return false;
    throw error;
  } finally {
    if (fd >= 0) linux.close(fd);
  }
}

function unless<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (error instanceof VsockError) return undefined;
    throw error;
  }
}
