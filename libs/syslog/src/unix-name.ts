import { lstatSync, unlinkSync } from 'node:fs';
import * as linux from '@vm-tools/linux';

const { AF_UNIX, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM, SO_PASSCRED, SOL_SOCKET } = linux.constants;
const BACKLOG = 511;

/** The place of a socket is taken. */
export class DevLogInUseError extends Error {
  readonly code = 'ERR_ADDRESS_IN_USE';
  readonly path: string;

  constructor(path: string, what: string) {
    super(`cannot receive messages at ${path}: ${what}`);
    this.name = 'DevLogInUseError';
    this.path = path;
  }
}

/** A socket that receives, with a name in the file system. */
export class UnixName {
  /** Non-blocking, and kept (`keptSocket`). */
  readonly fd: number;
  readonly #path: string;
  readonly #inode: bigint;

  /**
   * A socket there that nobody receives from is replaced.
   * @throws DevLogInUseError; SystemError
   */
  constructor(path: string, type: 'datagram' | 'stream', mode: number) {
    removeStale(path);
    this.#path = path;
    const isStream = type === 'stream';
    this.fd = linux.keptSocket(AF_UNIX, (isStream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK);
    try {
      askForSenders(this.fd);
      linux.bind(this.fd, { family: 'unix', path });
      this.#inode = lstatSync(path, { bigint: true }).ino;
      // Whoever comes before it is turned away, as before the bind.
      linux.check(linux.chmod(path, mode), 'chmod', { path });
      if (isStream) linux.listen(this.fd, BACKLOG);
    } catch (error) {
      linux.close(this.fd);
      throw error;
    }
  }

  /** Removes the name, unless it is another's by now, or the process has given up the right to: the next one replaces it. */
  unlink(): void {
    if (lstatSync(this.#path, { bigint: true, throwIfNoEntry: false })?.ino !== this.#inode) return;
    try {
      unlinkSync(this.#path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EACCES' && code !== 'EPERM') throw error;
    }
  }
}

/** Has the kernel say of each message who sends it. Connections have it from the socket that listens: later it would be too late for the first message. */
export function askForSenders(fd: number): void {
  linux.setsockopt(fd, SOL_SOCKET, SO_PASSCRED, 1);
}

function removeStale(path: string): void {
  const file = lstatSync(path, { throwIfNoEntry: false });
  if (!file) return;
  if (!file.isSocket() && !file.isSymbolicLink())
    throw new DevLogInUseError(path, 'something else than a socket is there');
  const probe = linux.keptSocket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK);
  try {
    linux.connect(probe, { family: 'unix', path });
  } catch (error) {
    const { code } = error as linux.SystemError;
    // ENOENT: a link that leads nowhere.
    if (code === 'ECONNREFUSED' || code === 'ENOENT') {
      unlinkSync(path);
      return;
    }
    if (code !== 'EPROTOTYPE' && code !== 'EAGAIN') throw error;
  } finally {
    linux.close(probe);
  }
  throw new DevLogInUseError(path, 'another program receives there; stop it first, or choose another path');
}
