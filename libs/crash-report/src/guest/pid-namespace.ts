import { readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Whether a process is in the PID namespace of this one: those of containers are not. One that is gone is not, either. */
export function isInOwnPidNamespace(pid: number, proc = '/proc'): boolean {
  try {
    return readlinkSync(join(proc, `${pid}/ns/pid`)) === readlinkSync(join(proc, 'self/ns/pid'));
  } catch {
    return false;
  }
}
