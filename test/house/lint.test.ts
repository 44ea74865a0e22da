import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { brokenFloors } from '../../scripts/floors.ts';
import { projects } from '../../scripts/typecheck.ts';
import { repository } from '../../scripts/workspaces.ts';

function run(command: string, args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: repository,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return { status, output: error?.message ?? stdout + stderr };
}

test('every file is formatted and free of lint', () => {
  const { status, output } = run('biome', [
    'ci',
    '--colors=off',
    '--error-on-warnings',
    '--max-diagnostics=50',
    '.',
  ]);
  expect(status, output).toBe(0);
});

test('every project type-checks', () => {
  const { status, output } = run('tsc', ['-b', ...projects()]);
  expect(status, output).toBe(0);
});

test('every package imports only from the floors below its own', async () => {
  expect(await brokenFloors()).toEqual([]);
});
