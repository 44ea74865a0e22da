import { ExitCode, ExitError } from '@vm-tools/daemon';

/** A user and a group, by number. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** `USER[:GROUP]`; the group has the user's name if none is given. */
export interface UserName {
  readonly user: string;
  readonly group: string;
}

export function parseUser(text: string): UserName {
  const [user = '', group = user] = text.split(':');
  return { user, group };
}

/** Looks up the numbers, as root. @throws ExitError there is no such user or group, or this is not root */
export function identityOf({ user, group }: UserName): Identity {
  // The C library looks, wherever users are kept; it tells by what becomes of the process.
  return translated(`${user}:${group}`, () => {
    process.setegid?.(group);
    const gid = process.getegid?.() as number;
    process.setegid?.(0);
    process.seteuid?.(user);
    const uid = process.geteuid?.() as number;
    process.seteuid?.(0);
    return { uid, gid };
  });
}

/** All threads of the process are this user's and this one group's from now on, for good. @throws ExitError */
export function become({ user, group }: UserName): void {
  translated(`${user}:${group}`, () => {
    process.setgroups?.([group]);
    process.setgid?.(group);
    process.setuid?.(user);
  });
}

function translated<Result>(name: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_UNKNOWN_CREDENTIAL') {
      throw new ExitError(`--user ${name}: ${message}`, { exitCode: ExitCode.config, code, cause: error });
    }
    if (code !== 'EPERM') throw error;
    throw new ExitError(`--user ${name}: only root can become another user; leave it out, or start as root`, {
      exitCode: ExitCode.noPermission,
      code,
      cause: error,
    });
  }
}
