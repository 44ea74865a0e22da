import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { plainText } from '../plain-text.ts';

const MAX_DEPTH = 32;
const MAX_COMMAND = 512;

/**
 * The process and those above it, the first process of the system first, a line each: `PID NAME (uid N): COMMAND LINE`. What cannot
 * be read is left out.
 */
export function processTree(pid: number, proc = '/proc'): string {
  const lines: string[] = [];
  const seen = new Set<number>();
  for (let at = pid; at > 0 && !seen.has(at) && seen.size < MAX_DEPTH; ) {
    seen.add(at);
    const status = textOf(join(proc, `${at}/status`));
    if (status === undefined) break;
    const name = /^Name:\t(.*)$/m.exec(status)?.[1] ?? '';
    const uid = /^Uid:\t(\d+)/m.exec(status)?.[1] ?? '?';
    const command = (textOf(join(proc, `${at}/cmdline`)) ?? '').replaceAll('\0', ' ').slice(0, MAX_COMMAND);
    lines.unshift(plainText(`${at} ${name} (uid ${uid}): ${command}`));
    at = Number(/^PPid:\t(\d+)$/m.exec(status)?.[1] ?? 0);
  }
  return lines.map((line, depth) => `${'  '.repeat(depth)}${line}\n`).join('');
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
