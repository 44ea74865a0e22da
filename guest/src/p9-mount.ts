import { connect } from 'node:net';
import type { VmForward } from '@vm-tools/vmm';
import { nativeProgram } from './native.ts';
import type { ToolOptions } from './tool.ts';

/** Where the guest finds a share: an address of its user network, of which the host sees nothing. */
export interface ShareAddress {
  readonly address: string;
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

/**
 * Shares by name, as rules of the user network: each connection of the guest gets an own relay to the share's Unix socket,
 * so that the end of either side is seen by the other, and a server that is started anew is found at the next mount.
 */
export async function shareForwards(
  shares: Readonly<Record<string, string>>,
  options: ToolOptions = {},
): Promise<{ addresses: Map<string, ShareAddress>; forwards: VmForward[] }> {
  const names = Object.keys(shares);
  if (names.length > 100)
    throw new RangeError(`${names.length} 9P shares: the user network has addresses for 100`);
  const addresses = new Map<string, ShareAddress>();
  const forwards: VmForward[] = [];
  for (const [name, socket] of Object.entries(shares)) {
    const [address, port] = [`10.0.2.${100 + addresses.size}`, 564];
    addresses.set(name, { address, port, socket });
    forwards.push({ address, port, command: [await nativeProgram('relay', options), socket] });
  }
  return { addresses, forwards };
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

/** The command that mounts a share. */
export function mountArguments(
  { address, port }: ShareAddress,
  path: string,
  options: MountOptions,
): string[] {
  const { msize = 131_072, cache = 'none', access = 'client', uname = 'root', aname = '' } = options;
  const words = [
    'trans=tcp',
    `port=${port}`,
    `version=${options.version ?? '9p2000.L'}`,
    `msize=${msize}`,
    `cache=${cache}`,
    `access=${access}`,
    `uname=${uname}`,
    ...(aname === '' ? [] : [`aname=${aname}`]),
    ...(options.extra ?? []),
  ];
  return ['/bin/busybox', 'mount', '-t', '9p', '-o', words.join(','), address, path];
}
