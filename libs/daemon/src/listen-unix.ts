import { chmodSync, lstatSync, type Stats, unlinkSync } from 'node:fs';
import * as linux from '@vm-tools/linux';
import type { UnixAbstractAddress, UnixAddress } from '@vm-tools/vsock';
import { ExitCode } from './exit-status.ts';
import { inUse, ListenError } from './listen-error.ts';
import { Listener, type ListenOptions } from './listener.ts';
import { withPathLock } from './path-lock.ts';

const { AF_UNIX, AT_EMPTY_PATH, O_NOFOLLOW, O_PATH, SOCK_NONBLOCK, SOCK_STREAM } = linux.constants;
const BACKLOG = 512;
const UNCHANGED = 0xffffffff;

/** `unix-abstract:NAME`; the name is free as soon as its last descriptor is closed. */
export function listenOnName(address: UnixAbstractAddress, { backlog = BACKLOG }: ListenOptions): Listener {
  const fd = linux.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
  try {
    linux.bind(fd, { family: 'unix-abstract', name: address.name });
    linux.listen(fd, backlog);
  } catch (error) {
    linux.close(fd);
    throw error;
  }
  return new Listener(fd, address, 'unix-abstract');
}

/** `unix:/path` */
export function listenOnPath(address: UnixAddress, options: ListenOptions): Promise<Listener> {
  // Between our bind and our listen the socket looks as if nobody listened: another one that starts must not see it.
  return withPathLock(address, () => {
    removeStale(address);
    const fd = linux.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
    let file: Stats | undefined;
    const removeFile = () => {
      if (file) unlinkIfSame(address.path, file);
    };
    try {
      bindWithMode(fd, address.path, options.gid === undefined ? (options.mode ?? 0o600) : 0o600);
      file = lstatSync(address.path);
      if (options.gid !== undefined) giveToGroup(address.path, file, options.gid, options.mode ?? 0o660);
      linux.listen(fd, options.backlog ?? BACKLOG);
    } catch (error) {
      removeFile();
      linux.close(fd);
      throw error;
    }
    return new Listener(fd, address, 'unix', removeFile);
  });
}

/** Never open to more than `mode`, not even for an instant: the umask takes away the rest. */
function bindWithMode(fd: number, path: string, mode: number): void {
  const umask = linux.umask(0o777 & ~mode);
  try {
    linux.bind(fd, { family: 'unix', path });
  } finally {
    linux.umask(umask);
  }
}

/** By descriptor: in a directory that others may write to, a path could lead to another file by now. */
function giveToGroup(path: string, file: Stats, gid: number, mode: number): void {
  const fd = linux.open(path, O_PATH | O_NOFOLLOW);
  try {
    const self = `/proc/self/fd/${fd}`;
    if (!isSame(lstatSync(path), file))
      throw Object.assign(new Error(`${path} was replaced`), { code: 'ESTALE' });
    linux.check(linux.fchownat(fd, new Uint8Array(0), 0, 0, UNCHANGED, gid, AT_EMPTY_PATH), 'fchownat', {
      path,
    });
    chmodSync(self, mode);
  } finally {
    linux.close(fd);
  }
}

/** Removes a socket that nobody listens on. */
function removeStale(address: UnixAddress): void {
  const { path } = address;
  const file = lstatSync(path, { throwIfNoEntry: false });
  if (!file) return;
  if (!file.isSocket()) {
    const remedy = 'name another path, or remove it yourself if it is not needed';
    throw new ListenError(
      address,
      ExitCode.cannotCreate,
      'ERR_NOT_A_SOCKET',
      'something else than a socket is there',
      remedy,
    );
  }
  const fd = linux.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
  try {
    linux.connect(fd, { family: 'unix', path });
  } catch (error) {
    const { code } = error as linux.SystemError;
    if (code === 'ECONNREFUSED') unlinkIfSame(path, file);
    // A full backlog, or a socket of datagrams: in use all the same.
    else if (code === 'EAGAIN' || code === 'EPROTOTYPE') throw inUse(address, REMEDY, { cause: error });
    else if (code !== 'ENOENT') throw error;
    return;
  } finally {
    linux.close(fd);
  }
  throw inUse(address, REMEDY);
}

const REMEDY = 'end the program that listens there, or choose another path';

function unlinkIfSame(path: string, file: Stats): void {
  const now = lstatSync(path, { throwIfNoEntry: false });
  if (now && isSame(now, file)) unlinkSync(path);
}

function isSame(one: Stats, other: Stats): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}
