import { spawnSync } from 'node:child_process';
import { brokenFloors } from './floors.ts';
import { projects } from './typecheck.ts';
import { repository } from './workspaces.ts';

/** Format, lint, types, floors: all are run, whatever the first ones say. */
const checks: readonly { readonly name: string; readonly run: () => Promise<boolean> | boolean }[] = [
  { name: 'biome', run: () => command('biome', ['ci', '--error-on-warnings', '--max-diagnostics=200', '.']) },
  { name: 'tsc', run: () => command('tsc', ['-b', ...projects()]) },
  { name: 'floors', run: floors },
];

let failed = 0;
for (const { name, run } of checks) {
  const started = performance.now();
  const passed = await run();
  console.log(
    `${name}: ${passed ? 'clean' : 'FAILED'} (${((performance.now() - started) / 1000).toFixed(1)} s)`,
  );
  if (!passed) failed++;
}
process.exitCode = failed === 0 ? 0 : 1;

async function floors(): Promise<boolean> {
  const broken = await brokenFloors();
  for (const line of broken) console.error(line);
  return broken.length === 0;
}

function command(name: string, args: string[]): boolean {
  return spawnSync(name, args, { cwd: repository, stdio: 'inherit' }).status === 0;
}
