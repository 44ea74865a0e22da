import { fstatSync, lstatSync, type Stats, unlinkSync } from 'node:fs';
import * as linux from '@vm-tools/linux';
import type { UnixAbstractAddress, UnixAddress } from './address.ts';
import { inUse, type SocketOptions } from './listen-options.ts';
import { BACKLOG, type Listening, listening } from './listening.ts';
import { withPathLock } from './path-lock.ts';
import { VsockError } from './vsock-error.ts';

const { AF_UNIX, AT_EMPTY_PATH, O_NOFOLLOW, O_PATH, SOCK_NONBLOCK, SOCK_STREAM } = linux.constants;
const UNCHANGED = 0xffffffff;

/** `unix-abstract:NAME`; the name is free as soon as its last descriptor is closed. */
export function openUnixName(address: UnixAbstractAddress, { backlog = BACKLOG }: SocketOptions): Listening {
  const fd = linux.keptSocket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
  try {
    linux.bind(fd, { family: 'unix-abstract', name: address.name });
    linux.listen(fd, backlog);
  } catch (error) {
    linux.close(fd);
    throw error;
  }
  return listening(fd, address);
}

/** `unix:/path` */
export function openUnixPath(address: UnixAddress, options: SocketOptions): Promise<Listening> {
  // Between our bind and our listen the socket looks as if nobody listened: another one that starts must not see it.
  return withPathLock(address, () => {
    removeStale(address);
    const fd = linux.keptSocket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
    let file: Stats | undefined;
    const removeFile = () => {
      if (file) unlinkIfSame(address.path, file);
    };
    try {
      bindWithMode(fd, address.path, options.gid === undefined ? (options.mode ?? 0o600) : 0o600);
      // By descriptor: in a directory that others may write to, the path could lead to another file by now.
      const pinned = linux.keptOpen(address.path, O_PATH | O_NOFOLLOW);
      try {
        file = identify(address, pinned);
        if (options.gid !== undefined) giveToGroup(pinned, options.gid, options.mode ?? 0o660);
      } finally {
        linux.close(pinned);
      }
      linux.listen(fd, options.backlog ?? BACKLOG);
    } catch (error) {
      removeFile();
      linux.close(fd);
      throw error;
    }
    return listening(fd, address, removeFile);
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

/** What the new socket's file is known by. */
function identify(address: UnixAddress, pinned: number): Stats {
  const file = fstatSync(pinned);
  if (file.isSocket()) return file;
  throw inUse(address, { remedy: 'find out who replaces the socket while it is being made' });
}

function giveToGroup(pinned: number, gid: number, mode: number): void {
  const path = `/proc/self/fd/${pinned}`;
  const itself = new Uint8Array(0);
  linux.check(linux.fchownat(pinned, itself, 0, 0, UNCHANGED, gid, AT_EMPTY_PATH), 'fchownat');
  linux.check(linux.chmod(path, mode), 'chmod', { path });
}

/** Removes a socket that nobody listens on. */
function removeStale(address: UnixAddress): void {
  const { path } = address;
  const file = lstatSync(path, { throwIfNoEntry: false });
  if (!file) return;
  if (!file.isSocket()) {
    const problem = 'something else than a socket is there';
    throw new VsockError({ code: 'ERR_NOT_A_SOCKET', operation: 'listen on', address, problem });
  }
  const fd = linux.keptSocket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
  try {
    linux.connect(fd, { family: 'unix', path });
  } catch (error) {
    const { code } = error as linux.SystemError;
    if (code === 'ECONNREFUSED') unlinkIfSame(path, file);
    // A full backlog, or a socket of datagrams: in use all the same.
    else if (code === 'EAGAIN' || code === 'EPROTOTYPE') throw inUse(address, { cause: error });
    else if (code !== 'ENOENT') throw error;
    return;
  } finally {
    linux.close(fd);
  }
  throw inUse(address);
}

function unlinkIfSame(path: string, file: Stats): void {
  const now = lstatSync(path, { throwIfNoEntry: false });
  if (now && isSame(now, file)) unlinkSync(path);
}

function isSame(one: Stats, other: Stats): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}
