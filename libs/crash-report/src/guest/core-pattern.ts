import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** How many handlers may run at once; and since it is not 0, the kernel holds a process until its handler has ended. */
export const CORE_PIPE_LIMIT = 4;
/** CORENAME_MAX_SIZE of the kernel, without its NUL. */
const LONGEST_PATTERN = 127;

/** What the kernel tells its handler of a process: `%P:%s:%u:%g:%f` of core(5). */
export interface CrashedProcess {
  readonly pid: number;
  readonly signal: number;
  readonly uid: number;
  readonly gid: number;
  /** The name of the program's file. */
  readonly exec: string;
}

/** Reads `pid:signal:uid:gid:exec`, in which the last one may have colons. Undefined: it is none. */
export function parseCrash(text: string): CrashedProcess | undefined {
  const [, ...fields] = /^(\d{1,9}):(\d{1,3}):(\d{1,10}):(\d{1,10}):([\s\S]*)$/.exec(text) ?? [];
  const [pid, signal, uid, gid] = fields.map(Number);
  const exec = fields[4];
  if (!pid || signal === undefined || uid === undefined || gid === undefined || exec === undefined)
    return undefined;
  return { pid, signal, uid, gid, exec };
}

/**
 * Has the kernel run a command for each crash from now on: `command --user=%P:%s:%u:%g:%f`.
 *
 * @param command the path of a program, and arguments without spaces
 * @param directory that of the settings; default /proc/sys/kernel
 * @throws RangeError when the kernel cannot take the command; errors of writing, for who is not root
 */
export function setCorePattern(command: readonly string[], directory = '/proc/sys/kernel'): void {
  const pattern = `|${command.join(' ')} --user=%P:%s:%u:%g:%f`;
  if (!command[0]?.startsWith('/') || command.some((word) => word === '' || /[\s%]/.test(word))) {
    throw new RangeError(
      `${JSON.stringify(command)}: the kernel takes a command whose words have no spaces and no "%", the first an absolute path`,
    );
  }
  if (Buffer.byteLength(pattern) > LONGEST_PATTERN) {
    throw new RangeError(
      `${JSON.stringify(pattern)} has more than ${LONGEST_PATTERN} bytes: put a link with a shorter path to the program`,
    );
  }
  writeFileSync(join(directory, 'core_pipe_limit'), `${CORE_PIPE_LIMIT}`);
  writeFileSync(join(directory, 'core_pattern'), pattern);
}
