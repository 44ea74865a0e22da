import { existsSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Whether a process is in the PID namespace of this one: those of containers are not. One that is gone is not, either. */
export function isInOwnPidNamespace(pid: number, proc = '/proc'): boolean {
  const own = namespaceOf('self', proc);
  // A kernel without them has one for all.
  if (own === undefined) return existsSync(join(proc, `${pid}`));
  return namespaceOf(`${pid}`, proc) === own;
}

function namespaceOf(process: string, proc: string): string | undefined {
  try {
    return readlinkSync(join(proc, process, 'ns/pid'));
  } catch {
    return undefined;
  }
}
