import { spawnSync } from 'node:child_process';
import type { Frame } from './judges.ts';

/**
 * The frames of the thread that crashed, as lldb sees them in a dump.
 * @param program where its program is, if not where the dump says
 */
export function lldbFrames(dump: string, most: number, program?: string): Frame[] {
  const loaded = program === undefined ? [] : [program];
  const walk = ['-o', `thread backtrace -c ${most}`];
  const run = spawnSync('lldb', ['--no-lldbinit', '--batch', ...loaded, '-c', dump, ...walk], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (run.error) throw new Error('lldb cannot be run: apt-get install lldb', { cause: run.error });
  // It shows the first one once more when it loads the dump.
  const backtrace = run.stdout.slice(run.stdout.lastIndexOf('frame #0:'));
  return backtrace
    .split('\n')
    .filter((line) => !line.includes('[inlined]'))
    .flatMap((line) => {
      const [, pc, name = ''] = /frame #\d+: (0x[0-9a-f]+)(?:[^`]*`([^\s(]*))?/.exec(line) ?? [];
      return pc === undefined ? [] : [{ pc: BigInt(pc), name }];
    });
}

/** What llvm's obj2yaml makes of a dump: it reads every stream that it knows. */
export function obj2yaml(dump: string): { status: number | null; stderr: string; types: string[] } {
  const run = spawnSync('obj2yaml', [dump], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (run.error) throw new Error('obj2yaml cannot be run: apt-get install llvm', { cause: run.error });
  const types = [...run.stdout.matchAll(/^ {2}- Type: +(\w+)/gm)].map(([, type = '']) => type);
  return { status: run.status, stderr: run.stderr, types };
}
