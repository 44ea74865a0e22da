import { hot } from './addon.ts';
import { check } from './error.ts';

const setNoNewPrivileges = hot<(on: number) => number>('noNewPrivileges');
const callExecve = hot<(path: string, argv: Uint8Array, envp: Uint8Array) => number>('execve');

/**
 * Has execve(2) give no more privileges from now on - set-id bits, capabilities of files - to the calling thread and what it starts (prctl(2)
 * `PR_SET_NO_NEW_PRIVS`). Cannot be undone.
 * @throws SystemError
 */
export function noNewPrivileges(): void {
  check(setNoNewPrivileges(1), 'prctl');
}

/**
 * execve(2): the process becomes another program, and nothing of this one runs any more: no `exit` event, no other thread. The new one's
 * only thread has the confinement of the calling one. Descriptors stay open that are not close-on-exec; Node.js makes
 * standard input, output and error close-on-exec at its start: see `setCloseOnExec`.
 * @param argv the arguments, from the name that the program is called by. Text is UTF-8; bytes as they are
 * @param envp `NAME=value`
 * @returns never
 * @throws SystemError with the path
 * @throws RangeError when a string has a NUL
 */
export function execve(
  path: string,
  argv: readonly (string | Uint8Array)[],
  envp: readonly (string | Uint8Array)[],
): never {
  const failed = callExecve(path, terminated(argv), terminated(envp));
  check(failed, 'execve', { path });
  throw new Error('execve came back');
}

function terminated(strings: readonly (string | Uint8Array)[]): Uint8Array {
  const parts = strings.map((text) => Buffer.from(text));
  if (parts.some((part) => part.includes(0))) throw new RangeError('a string for execve has a NUL in it');
  return Buffer.concat(parts.flatMap((part) => [part, Buffer.alloc(1)]));
}
