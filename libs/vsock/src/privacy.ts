import { lstatSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Address } from './address.ts';
import { VsockError, type VsockErrorFacts } from './vsock-error.ts';

const OTHERS_WRITE = 0o022;
const OTHERS = 0o077;

/**
 * Refuses a Unix socket that stands in for a VM when others than its owner could connect to it or put another in its place:
 * who writes to a directory replaces what is in it.
 *
 * @throws VsockError ERR_NOT_PRIVATE; system errors when the directory is not there
 */
export function requirePrivateSocket(
  path: string,
  address: Address,
  operation: VsockErrorFacts['operation'],
): void {
  const folder = dirname(path);
  const refuse = (problem: string) =>
    new VsockError({ code: 'ERR_NOT_PRIVATE', operation, address, problem });
  if (statSync(folder).mode & OTHERS_WRITE) {
    throw refuse(`other users may write to ${folder} and put another socket in its place`);
  }
  const socket = lstatSync(path, { throwIfNoEntry: false });
  if (socket && socket.mode & OTHERS_WRITE) throw refuse(`other users may connect to ${path}`);
}

/** Why a directory is not one that this user and root alone can enter; undefined: it is. */
export function whyNotPrivate(folder: string): string | undefined {
  const stats = lstatSync(folder);
  const uid = process.getuid?.() ?? 0;
  if (!stats.isDirectory()) return `${folder} is not a directory`;
  if (stats.uid !== uid && stats.uid !== 0) return `${folder} belongs to user ${stats.uid}`;
  if (stats.mode & OTHERS) return `other users can enter ${folder}`;
  return undefined;
}
