import { readFileSync, statSync } from 'node:fs';
import { release, type, version } from 'node:os';
import { join } from 'node:path';
import type { CrashedProcess } from './core-pattern.ts';

/** What counts the clock ticks of /proc/PID/stat, on every machine that Linux runs on today. */
const TICKS = 100;

export interface MetadataPlaces {
  readonly proc: string;
  readonly etc: string;
  readonly now: Date;
}

/**
 * What a report says of a crash, under the names that ChromeOS's crash reporter gave it. The minidump, the process tree and the
 * files of either have fields of their own. On other systems than ChromeOS /etc/os-release stands in for /etc/lsb-release.
 */
export function crashMetadata(
  { pid, exec }: CrashedProcess,
  { proc, etc, now }: MetadataPlaces,
): Record<string, string> {
  const lsb = assignments(join(etc, 'lsb-release'));
  const os = assignments(join(etc, 'os-release'));
  const values = {
    board: lsb.get('CHROMEOS_RELEASE_BOARD') ?? os.get('ID'),
    exec_name: exec,
    ver: lsb.get('CHROMEOS_RELEASE_VERSION') ?? os.get('VERSION_ID'),
    os_millis: lsb.modified ?? os.modified,
    'upload_var_lsb-release': lsb.get('CHROMEOS_RELEASE_DESCRIPTION') ?? os.get('PRETTY_NAME'),
    upload_var_vm_os_release: os.get('PRETTY_NAME'),
    upload_var_cros_milestone: lsb.get('CHROMEOS_RELEASE_CHROME_MILESTONE'),
    upload_var_osName: type(),
    upload_var_osVersion: `${release()} ${version()}`,
    upload_var_reportTimeMillis: now.getTime(),
    upload_var_ptime: ageOf(pid, proc),
    done: 1,
  };
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, `${value}`]])),
  );
}

/** A file of lines like `NAME="value"`, and when it was written. */
class Assignments {
  readonly #values: ReadonlyMap<string, string>;
  /** Milliseconds since 1970. */
  readonly modified: number | undefined;

  constructor(text: string, modified: number | undefined) {
    const lines = [...text.matchAll(/^\s*(\w+)=(["']?)(.*)\2\s*$/gm)];
    this.#values = new Map(
      lines.map(([, name = '', , value = '']) => [name, value.replaceAll(/\\(.)/g, '$1')]),
    );
    this.modified = modified;
  }

  get(name: string): string | undefined {
    return this.#values.get(name) || undefined;
  }
}

function assignments(path: string): Assignments {
  try {
    return new Assignments(readFileSync(path, 'utf8'), Math.trunc(statSync(path).mtimeMs));
  } catch {
    return new Assignments('', undefined);
  }
}

/** For how long a process has run, in milliseconds. */
function ageOf(pid: number, proc: string): number | undefined {
  try {
    const stat = readFileSync(join(proc, `${pid}/stat`), 'latin1');
    // The name stands in parentheses and may hold anything; the third field follows it.
    const start = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]) / TICKS;
    const uptime = Number.parseFloat(readFileSync(join(proc, 'uptime'), 'latin1'));
    return Number.isFinite(uptime - start) ? Math.max(0, Math.round((uptime - start) * 1000)) : undefined;
  } catch {
    return undefined;
  }
}
