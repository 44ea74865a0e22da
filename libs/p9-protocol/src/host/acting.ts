import { Errno } from '../errno.ts';
import { HostNode } from './host-node.ts';
import type { Identities } from './identities.ts';

/**
 * What the server does as itself: it lets descriptors go, finds roots, and hands fsync(2), which nobody needs rights for, to other threads, which may be
 * started for it.
 */
const AS_ITSELF = new Set(['constructor', 'attach', 'retain', 'release', 'close', 'fsync']);

/** Replaces the methods of a filesystem of the host: each is called as the user of the node or open file that it is called with. */
export function actAsUsers(fs: object, identities: Identities): void {
  for (
    let shape: object = Object.getPrototypeOf(fs);
    shape !== Object.prototype;
    shape = Object.getPrototypeOf(shape)
  ) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(shape))) {
      if (typeof value !== 'function' || AS_ITSELF.has(name) || Object.hasOwn(fs, name)) continue;
      const method = (...args: unknown[]) => {
        const users = args.map(userOf).filter((user) => user !== undefined);
        const [user] = users;
        // A request that names fids of two users is neither's.
        if (user === undefined || users.some((other) => other !== user)) return -Errno.EACCES;
        return identities.as(user, () => value.apply(fs, args) as unknown);
      };
      Object.defineProperty(fs, name, { value: method });
    }
  }
}

function userOf(argument: unknown): number | undefined {
  if (argument instanceof HostNode) return argument.user;
  const { node } = (argument ?? {}) as { node?: unknown };
  return node instanceof HostNode ? node.user : undefined;
}
