import { ExitCode, ExitError, UsageError } from '@vm-tools/daemon';
import { constants, open } from '@vm-tools/linux';
import type { NamedDirectory } from './program.ts';

/** A directory that is served, under a name that counts when there are several. */
export interface Export {
  readonly name: string;
  readonly path: string;
}

/** What is served: the --root, or every --export. */
export function exportsOf(options: {
  root: string | undefined;
  export: readonly NamedDirectory[];
}): readonly Export[] {
  const { root, export: named } = options;
  if (root !== undefined && named.length > 0) {
    throw new UsageError({
      code: 'ERR_CONFLICTING_OPTIONS',
      subject: '--root',
      problem: 'is served under any name, and --export under its own',
      remedy: 'give each directory a name by --export NAME=DIR',
    });
  }
  if (root !== undefined) return [{ name: '', path: root }];
  if (named.length === 0) {
    throw new UsageError({
      code: 'ERR_MISSING_OPTION',
      subject: '--root',
      problem: 'is missing',
      remedy: 'write --root DIR, or --export NAME=DIR for each of several directories',
    });
  }
  const names = new Set<string>();
  return named.map(([name, path]) => {
    if (names.has(name)) {
      throw new UsageError({
        code: 'ERR_CONFLICTING_OPTIONS',
        subject: '--export',
        problem: `two directories are named ${JSON.stringify(name)}`,
        remedy: 'give each a name of its own',
      });
    }
    names.add(name);
    return { name, path };
  });
}

/** What is served, in words for people. */
export function describeExports(exports: readonly Export[]): string {
  return exports.map(({ name, path }) => (name === '' ? path : `${path} as ${name}`)).join(', ');
}

/** Opens a directory that is to be served. */
export function openExport({ name, path }: Export): number {
  try {
    return open(path, constants.O_PATH | constants.O_DIRECTORY);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ExitError(
      `${name === '' ? '--root' : '--export'}: ${message}; name a directory that can be read`,
      {
        exitCode: code === 'EACCES' || code === 'EPERM' ? ExitCode.noPermission : ExitCode.config,
        code: code ?? 'ERR_ROOT',
        cause: error,
      },
    );
  }
}
