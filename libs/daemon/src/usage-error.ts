import { ExitCode, ExitError } from './exit-status.ts';

export type UsageErrorCode =
  | 'ERR_UNKNOWN_OPTION'
  | 'ERR_MISSING_VALUE'
  | 'ERR_UNEXPECTED_VALUE'
  | 'ERR_INVALID_VALUE'
  | 'ERR_REPEATED_OPTION'
  | 'ERR_MISSING_OPTION'
  | 'ERR_MISSING_OPERAND'
  | 'ERR_UNEXPECTED_OPERAND'
  | 'ERR_CONFLICTING_OPTIONS';

export interface UsageErrorFacts {
  code: UsageErrorCode;
  /** The option or operand as the user writes it: `--msize`, `LISTEN`. */
  subject: string;
  problem: string;
  /** Completes "...; ". */
  remedy: string;
  cause?: unknown;
}

/** A command line that the program does not understand; it ends the program with 64. */
export class UsageError extends ExitError {
  override readonly name = 'UsageError';
  declare readonly code: UsageErrorCode;
  readonly subject: string;
  readonly problem: string;
  readonly remedy: string;

  constructor({ code, subject, problem, remedy, cause }: UsageErrorFacts) {
    super(`${subject}: ${problem}; ${remedy}`, { exitCode: ExitCode.usage, code, cause });
    this.subject = subject;
    this.problem = problem;
    this.remedy = remedy;
  }
}
