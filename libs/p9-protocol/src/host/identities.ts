import { Errno, P9Error } from '../errno.ts';
import type { HostUser } from './host-users.ts';
import { setfsgid, setfsuid, setThreadGroups } from './linux.ts';
import { processStatus } from './process-status.ts';

/** Who a thread is to the kernel when it works with files. */
interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly groups: Uint32Array;
}

/**
 * Has file calls made as one user of the host or another. The kernel keeps for each thread as whom it does that (credentials(7)), and threads begin with
 * what the one that starts them has: so a user's identity lasts for one call at a time, which starts no thread, and the server's own is back when it is over.
 */
export class Identities {
  readonly #users = new Map<number, Identity>();
  readonly #server: Identity;
  #acting: number | undefined;
  #isBroken = false;

  /** @throws P9Error EPERM when the process is not root's */
  constructor(users: ReadonlyMap<number, Omit<HostUser, 'name'>>) {
    const uid = process.geteuid?.();
    if (uid !== 0) {
      throw new P9Error('EPERM', `only root can act as its clients' users, not user ${uid}: leave actAs out`);
    }
    const gid = process.getegid?.() ?? 0;
    // Not process.getgroups(), which adds the main group.
    const groups = processStatus('Groups')
      .split(' ')
      .filter((id) => id !== '');
    this.#server = { uid, gid, groups: Uint32Array.from(groups, Number) };
    for (const [number, { gid: own, groups: theirs }] of users) {
      this.#users.set(number, { uid: number, gid: own, groups: Uint32Array.from(theirs) });
    }
  }

  /** Makes a call as a user, or answers a negative errno without making it. */
  as<T>(user: number, call: () => T): T | number {
    if (this.#acting === user) return call();
    const identity = this.#users.get(user);
    if (identity === undefined || this.#acting !== undefined) return -Errno.EACCES;
    if (this.#isBroken) return -Errno.EIO;
    this.#acting = user;
    try {
      const failed = become(identity);
      if (failed < 0) return failed;
      const outcome = call();
      if (outcome instanceof Promise)
        throw new P9Error('EIO', 'a call that waits would go on as someone else');
      return outcome;
    } finally {
      this.#layDown();
      this.#acting = undefined;
    }
  }

  /** Each for itself. Should the kernel not allow one of them, nothing is done as anyone any more. */
  #layDown(): void {
    const { uid, gid, groups } = this.#server;
    const failures = [setfsuid(uid), setfsgid(gid), setThreadGroups(groups)];
    this.#isBroken = failures.some((failed) => failed < 0);
  }
}

/** As a whole or not at all: what fails is told, and then no call may follow. */
function become({ uid, gid, groups }: Identity): number {
  // The groups first: their change and the next one need what is root's alone, and are root's even while it has another fsuid.
  return setThreadGroups(groups) || setfsgid(gid) || setfsuid(uid);
}
