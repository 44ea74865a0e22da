import { spawnSync } from 'node:child_process';

/** The frames of the selected thread of a dump, as lldb sees them. */
export function lldbFrames(dump: string, most: number): bigint[] {
  const run = spawnSync(
    'lldb',
    ['--no-lldbinit', '--batch', '-c', dump, '-o', `thread backtrace -c ${most}`],
    {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    },
  );
  if (run.error) throw new Error('lldb cannot be run: apt-get install lldb', { cause: run.error });
  const frames = [...run.stdout.matchAll(/frame #\d+: (0x[0-9a-f]+)/g)].map(([, pc = '0']) => BigInt(pc));
  // It shows the first one once more when it loads the dump.
  const again = run.stdout.lastIndexOf('frame #0:') !== run.stdout.indexOf('frame #0:');
  return again ? frames.slice(1) : frames;
}

/** What llvm's obj2yaml makes of a dump: it reads every stream that it knows. */
export function obj2yaml(dump: string): { status: number | null; stderr: string; types: string[] } {
  const run = spawnSync('obj2yaml', [dump], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (run.error) throw new Error('obj2yaml cannot be run: apt-get install llvm', { cause: run.error });
  const types = [...run.stdout.matchAll(/^ {2}- Type: +(\w+)/gm)].map(([, type = '']) => type);
  return { status: run.status, stderr: run.stderr, types };
}
