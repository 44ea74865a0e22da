import { connect } from 'node:net';
import type { VsockDevice } from '@vm-tools/vhost-user-vsock';

/** Where the guest finds a share: a vsock port of the host, which leads to the server. */
export interface ShareAddress {
  readonly port: number;
  /** The server's Unix socket on the host. */
  readonly socket: string;
}

/** See the kernel's Documentation/filesystems/9p.rst. */
export interface MountOptions {
  /** Bytes of the longest message; default 131,072. */
  readonly msize?: number;
  /** Default `none`. */
  readonly cache?: 'none' | 'loose' | 'fscache' | 'mmap';
  /** Who may use the mount: each user as himself (`client` checks here, `user` at the server), all as one (`any`), one uid. */
  readonly access?: 'client' | 'user' | 'any' | number;
  /** User name for the attach; default `root`. */
  readonly uname?: string;
  /** Name of the tree; default "". */
  readonly aname?: string;
  readonly version?: '9p2000.L' | '9p2000.u' | '9p2000';
  /** Further options, such as `ro` or `posixacl`. */
  readonly extra?: readonly string[];
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** 9P's port of TCP and its neighbours. */
const FIRST_PORT = 564;

/**
 * Shares by name, as ports of the guest's vsock device: each connection of the guest is joined with the share's Unix socket, so that the end
 * of either side is seen by the other, and a server that is started anew is found at the next mount.
 */
export async function shareAddresses(
  shares: Readonly<Record<string, string>>,
  device: VsockDevice,
): Promise<Map<string, ShareAddress>> {
  const addresses = new Map<string, ShareAddress>();
  for (const [name, socket] of Object.entries(shares)) {
    const port = FIRST_PORT + addresses.size;
    await device.listen(port, { path: socket });
    addresses.set(name, { port, socket });
  }
  return addresses;
}

/** Why nobody can be reached at a share's socket, or undefined when someone can: a guest sees either as a lost connection. */
export function whyUnreachable({ socket }: ShareAddress): Promise<string | undefined> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.on('error', (error) => resolve(error.message));
    connection.on('connect', () => {
      connection.destroy();
      resolve(undefined);
    });
  });
}

/** The command that mounts a share: the first process's program, wherever its file is now. */
export function mountArguments({ port }: ShareAddress, path: string, options: MountOptions): string[] {
  const { msize = 131_072, cache = 'none', access = 'client', uname = 'root', aname = '' } = options;
  const words = [
    `version=${options.version ?? '9p2000.L'}`,
    `msize=${msize}`,
    `cache=${cache}`,
    `access=${access}`,
    `uname=${uname}`,
    ...(aname === '' ? [] : [`aname=${aname}`]),
    ...(options.extra ?? []),
  ];
  return ['/proc/1/exe', 'mount9p', String(port), path, words.join(',')];
}
