import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { repository } from './workspaces.ts';

test('with a kernel that keeps its console, the demo reads the last words from there too', () => {
  const { status, stdout } = spawnSync(
    process.execPath,
    ['--conditions=@vm-tools/source', 'scripts/demo.ts', '--kernel', 'built'],
    { cwd: repository, encoding: 'utf8', timeout: 3_500_000 },
  );
  expect(status, stdout).toBe(0);
  const [dump = '', console = ''] = stdout.split(/^ +host\$ .*\n/m).slice(-2);
  expect(dump).toMatch(
    /^ +<12>\[.*\] these are my last words\n +<0>\[.*\] Kernel panic - not syncing: sysrq/,
  );
  expect(console).toMatch(/^ +\[.*\] these are my last words\n +\[.*\] Kernel panic - not syncing: sysrq/);
}, 3_600_000);
