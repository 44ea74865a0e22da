/** The exit codes of every program of this family: 0 and those of sysexits.h that say something useful. */
export const ExitCode = {
  ok: 0,
  /** EX_USAGE */
  usage: 64,
  /** EX_UNAVAILABLE */
  unavailable: 69,
  /** EX_SOFTWARE */
  internal: 70,
  /** EX_OSERR */
  osError: 71,
  /** EX_CANTCREAT */
  cannotCreate: 73,
  /** EX_NOPERM */
  noPermission: 77,
  /** EX_CONFIG */
  config: 78,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** What help and man page say of them. */
export const exitMeanings: Readonly<Record<ExitCode, string>> = {
  0: 'it did what it was asked to, or was ended by SIGTERM or SIGINT',
  64: 'the command line is wrong',
  69: 'what it needs is not available: an address is in use, a service does not answer',
  70: 'an error in the program itself',
  71: 'a system call failed that should not',
  73: 'a file or socket cannot be created',
  77: 'permission denied',
  78: 'the command line is right, but what it names is not as it should be',
};

export interface ExitErrorFacts {
  exitCode: ExitCode;
  code: string;
  cause?: unknown;
}

/** A failure that ends the program, and is told to its user by message alone, without a stack. */
export class ExitError extends Error {
  override readonly name: string = 'ExitError';
  readonly exitCode: ExitCode;
  readonly code: string;

  constructor(message: string, { exitCode, code, cause }: ExitErrorFacts) {
    super(message, cause === undefined ? {} : { cause });
    this.exitCode = exitCode;
    this.code = code;
  }
}

/** With which code a program ends that this ended: what the error says itself, or what kind of system error it is. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof ExitError) return error.exitCode;
  const { code, syscall } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  if (code === 'ERR_UNSUPPORTED_PLATFORM') return ExitCode.unavailable;
  if (syscall === undefined) return ExitCode.internal;
  return code === 'EACCES' || code === 'EPERM' ? ExitCode.noPermission : ExitCode.osError;
}
