/**
 * Error numbers as they travel in Rlerror: Linux's generic ones (include/uapi/asm-generic/errno*.h), whatever machine is
 * at either end.
 */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  EPIPE: 32,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOLCK: 37,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EPROTO: 71,
  EBADMSG: 74,
  EOVERFLOW: 75,
  EMSGSIZE: 90,
  EPROTONOSUPPORT: 93,
  EOPNOTSUPP: 95,
  ECONNRESET: 104,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  ESTALE: 116,
  EDQUOT: 122,
  ECANCELED: 125,
} as const;

export type ErrnoName = keyof typeof Errno;

const names = new Map<number, string>(Object.entries(Errno).map(([name, number]) => [number, name]));

/** The name of a Linux error number: `errnoName(2) === 'ENOENT'`; of one not in `Errno`, `errno 200`. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`;
}

/**
 * What a filesystem throws to have a given errno answered, and what the client throws for an Rlerror. Any other thrown
 * value with a Linux `errno` property (as Node's own system errors have) or a known `code` is answered alike, the rest as EIO.
 */
export class P9Error extends Error {
  override readonly name = 'P9Error';
  /** 'ENOENT', ... */
  readonly code: string;
  /** Positive Linux error number. */
  readonly errno: number;

  constructor(errno: number | ErrnoName, message?: string, options?: ErrorOptions) {
    const number = typeof errno === 'number' ? Math.abs(errno) : Errno[errno];
    const code = errnoName(number);
    super(message === undefined ? code : `${code}: ${message}`, options);
    this.code = code;
    this.errno = number;
  }
}

/** The positive Linux error number that answers something thrown by a filesystem. */
export function errnoOf(thrown: unknown): number {
  if (typeof thrown !== 'object' || thrown === null) return Errno.EIO;
  const { errno, code } = thrown as { errno?: unknown; code?: unknown };
  if (typeof errno === 'number' && Number.isInteger(errno) && errno !== 0 && Math.abs(errno) < 4096) {
    return Math.abs(errno);
  }
  if (typeof code === 'string' && Object.hasOwn(Errno, code)) return Errno[code as ErrnoName];
  return Errno.EIO;
}
