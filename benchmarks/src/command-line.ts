import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';

/** The command line cannot be understood. */
export class UsageError extends Error {
  readonly code = 'ERR_USAGE';
}

/**
 * The values of options; there are no other arguments.
 * @throws {UsageError} for what is not among them
 */
export function parseValues<const T extends ParseArgsOptionsConfig>(args: string[], options: T) {
  try {
    return parseArgs<{ args: string[]; options: T }>({ args, options }).values;
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}
