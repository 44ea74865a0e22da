import { lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Cid } from './address.ts';
import { whyNotPrivate } from './privacy.ts';
import { VsockError } from './vsock-error.ts';

/** Names the runtime directory; without it root has /run/vm-tools and a user `$XDG_RUNTIME_DIR/vm-tools`. */
export const RUNTIME_DIRECTORY_VARIABLE = 'VM_TOOLS_RUNTIME_DIR';

/**
 * Where running parts of the suite find each other.
 * @throws VsockError ERR_NO_RUNTIME_DIRECTORY: neither variable is set, and this is not root
 */
export function runtimeDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const { [RUNTIME_DIRECTORY_VARIABLE]: own, XDG_RUNTIME_DIR: ofUser } = env;
  if (own) return own;
  if (process.getuid?.() === 0) return '/run/vm-tools';
  if (ofUser) return join(ofUser, 'vm-tools');
  throw new VsockError({
    code: 'ERR_NO_RUNTIME_DIRECTORY',
    operation: 'use',
    address: 'the runtime directory',
    problem: 'neither variable is set that names it',
    remedy: `set ${RUNTIME_DIRECTORY_VARIABLE} to a directory of yours, or log in so that XDG_RUNTIME_DIR is set`,
  });
}

/** Where each VM has a directory that is named by its CID. */
export function vmDirectories(runtime: string = runtimeDirectory()): string {
  return join(runtime, 'vsock');
}

/** The directory of one VM: who can make a connection there is that VM's device, and speaks for its CID. */
export function vmDirectory(cid: number, runtime: string = runtimeDirectory()): string {
  return join(vmDirectories(runtime), String(cid));
}

/** The hybrid socket of one VM: `dial` asks it for ports of the guest. */
export function vmSocketPath(cid: number, runtime: string = runtimeDirectory()): string {
  return join(vmDirectory(cid, runtime), 'sock');
}

/** Where a hybrid socket's guest finds who listens on a port of the host: `PATH_PORT`. */
export function hybridListenerPath(path: string, port: number): string {
  return `${path}_${port}`;
}

/**
 * Makes the directory of a VM, and those above it, for this user alone.
 * @returns its path
 * @throws VsockError ERR_NOT_PRIVATE: it is there, and others can enter it; system errors
 */
export function makeVmDirectory(cid: number, runtime: string = runtimeDirectory()): string {
  makeVmDirectories(runtime);
  return makePrivate(vmDirectory(cid, runtime));
}

/** Makes the directory of all VMs; see {@link makeVmDirectory}. */
export function makeVmDirectories(runtime: string): string {
  mkdirSync(runtime, { recursive: true, mode: 0o755 });
  return makePrivate(vmDirectories(runtime));
}

function makePrivate(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const problem = whyNotPrivate(folder);
  if (problem === undefined) return folder;
  throw new VsockError({
    code: 'ERR_NOT_PRIVATE',
    operation: 'use',
    address: folder,
    problem,
    remedy: `chmod 700 ${folder}, as its owner or root`,
  });
}

/** The CIDs that have a directory which nobody else can enter, each with what tells it from a later one of that name. */
export function privateVms(runtime: string): Map<number, string> {
  let names: string[];
  try {
    names = readdirSync(vmDirectories(runtime));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw error;
  }
  const vms = new Map<number, string>();
  for (const name of names) {
    if (!/^[1-9][0-9]{0,9}$/.test(name) || Number(name) >= Cid.any) continue;
    const identity = identityOf(vmDirectory(Number(name), runtime));
    if (identity !== undefined) vms.set(Number(name), identity);
  }
  return vms;
}

function identityOf(folder: string): string | undefined {
  try {
    if (whyNotPrivate(folder) !== undefined) return undefined;
    const { dev, ino, birthtimeNs } = lstatSync(folder, { bigint: true });
    return `${dev}:${ino}:${birthtimeNs}`;
  } catch {
    // Gone again.
    return undefined;
  }
}
