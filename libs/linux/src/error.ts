import { errnoCode, errnoMessage } from './errno.ts';

/** What a failed call was about, for its error. */
export interface ErrorSubject {
  /** The path it was given. */
  readonly path?: string;
  /** The socket address it was given, as text. */
  readonly address?: string;
}

/**
 * A system call failed. Shaped as Node's own errors: `code` is `'ENOENT'`, `errno` -2, `syscall` `'open'`, the
 * message `ENOENT: no such file or directory, open '/x'`.
 */
export class SystemError extends Error {
  override readonly name = 'SystemError';
  /** Name of the error, such as `'ENOENT'`. */
  readonly code: string;
  /** Negative error number. */
  readonly errno: number;
  /** The call that failed. */
  readonly syscall: string;
  declare readonly path?: string;
  declare readonly address?: string;

  /** @param errno error number, of either sign */
  constructor(errno: number, syscall: string, subject: ErrorSubject = {}) {
    const { path, address } = subject;
    const about = path === undefined ? (address === undefined ? '' : ` ${address}`) : ` '${path}'`;
    super(`${errnoCode(errno)}: ${errnoMessage(errno)}, ${syscall}${about}`);
    this.code = errnoCode(errno);
    this.errno = -Math.abs(errno);
    this.syscall = syscall;
    if (path !== undefined) this.path = path;
    if (address !== undefined) this.address = address;
  }
}

/**
 * The result of a hot call, or a {@link SystemError} thrown if it is a negative errno:
 * `check(openat(...), 'openat', { path })`.
 */
export function check(result: number, syscall: string, subject?: ErrorSubject): number {
  if (result < 0) throw new SystemError(result, syscall, subject);
  return result;
}

/** Every call throws this where the addon cannot be loaded; its `cause` says why. */
export class UnsupportedPlatformError extends Error {
  override readonly name = 'UnsupportedPlatformError';
  readonly code = 'ERR_UNSUPPORTED_PLATFORM';

  constructor(platform: string, arch: string, cause: unknown) {
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    const remedy =
      platform === 'linux'
        ? 'to compile it (with g++), `npm install node-api-headers` and, in node_modules/@vm-tools/linux, `npm run build:native`'
        : 'run this part of your program on Linux';
    super(`@vm-tools/linux cannot make system calls on ${platform}-${arch}: ${reason}; ${remedy}`, { cause });
  }
}
