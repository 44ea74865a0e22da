import { readFileSync } from 'node:fs';
import { P9Error } from '../errno.ts';

/**
 * A field of /proc/thread-self/status (proc_pid_status(5)): of what the kernel tells of the calling thread there alone, or only there without changing it.
 *
 * @throws P9Error EIO where there is no /proc
 */
export function processStatus(field: string): string {
  const match = new RegExp(`^${field}:[ \\t]*(.*?)[ \\t]*$`, 'm').exec(
    readFileSync('/proc/thread-self/status', 'latin1'),
  );
  if (match?.[1] === undefined) {
    throw new P9Error('EIO', `/proc/thread-self/status has no line "${field}:"; is /proc mounted?`);
  }
  return match[1];
}
