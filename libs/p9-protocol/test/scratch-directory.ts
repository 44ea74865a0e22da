import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';

const made: string[] = [];

/** A new empty directory, removed with all that is in it after the test. */
export function scratchDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'p9-'));
  made.push(path);
  return path;
}

afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

/** What this process's descriptors that lead into `directory` refer to: empty when nothing of it is held open. */
export function descriptorsInto(directory: string): string[] {
  const targets: string[] = [];
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      const target = readlinkSync(`/proc/self/fd/${name}`);
      if (target === directory || target.startsWith(`${directory}/`)) targets.push(target);
    } catch {
      // Closed since the directory was read; one of them was readdir's own.
    }
  }
  return targets;
}
