import { lstatSync, unlinkSync } from 'node:fs';
import {
  bind,
  close,
  connect,
  constants,
  Errno,
  listen,
  type SystemError,
  socket,
  socketpair,
  umask,
} from '@vm-tools/linux';

const { AF_UNIX, SOCK_NONBLOCK, SOCK_STREAM } = constants;
const BACKLOG = 512;

/** Two connected, non-blocking stream sockets. @throws SystemError */
export function streamPair(): [number, number] {
  return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
}

/** A non-blocking socket connected to a path. @returns a descriptor, or a negative errno (-EAGAIN: its backlog is full) */
export function connectTo(path: string): number {
  let fd = -1;
  try {
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
    connect(fd, { family: 'unix', path });
    return fd;
  } catch (error) {
    if (fd >= 0) close(fd);
    return (error as SystemError).errno;
  }
}

/** A listening Unix socket that this user alone can connect to, and the file it made. */
export class ListeningSocket implements Disposable {
  /** Non-blocking. */
  readonly fd: number;
  readonly #path: string;
  readonly #inode: bigint;
  #isOpen = true;

  /**
   * A socket that nobody listens on any more is replaced.
   * @throws SystemError (EADDRINUSE: someone listens there, or it is no socket)
   */
  constructor(path: string) {
    removeStale(path);
    this.#path = path;
    this.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
    // Never open to others, not even for an instant.
    const mask = umask(0o177);
    try {
      bind(this.fd, { family: 'unix', path });
      listen(this.fd, BACKLOG);
      this.#inode = lstatSync(path, { bigint: true }).ino;
    } catch (error) {
      close(this.fd);
      throw error;
    } finally {
      umask(mask);
    }
  }

  /** Removes the file, if it is still ours. Twice does no harm. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    close(this.fd);
    if (lstatSync(this.#path, { bigint: true, throwIfNoEntry: false })?.ino === this.#inode)
      unlinkSync(this.#path);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function removeStale(path: string): void {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return;
  const fd = connectTo(path);
  if (fd === -Errno.ECONNREFUSED) unlinkSync(path);
  else if (fd >= 0) close(fd);
}
