import { type ExitCode, ExitError } from '@vm-tools/daemon';

/** Those of the original program, beside those that all of ours have. */
export const Exit = { unreadable: 1, noSuchFile: 2 } as const;

/** Ends the program with one of its own codes. */
export function giveUp(message: string, code: keyof typeof Exit, cause?: unknown): never {
  throw new ExitError(message, {
    exitCode: Exit[code] as number as ExitCode,
    code: code === 'noSuchFile' ? 'ERR_NO_SUCH_FILE' : 'ERR_UNREADABLE',
    cause,
  });
}
