// `npm test`: runs vitest, shows what it shows, and ends with one line that counts.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { countTests } from './test-count.ts';
import { repository } from './workspaces.ts';

const report = join(repository, '.cache/test/report.json');
mkdirSync(join(repository, '.cache/test'), { recursive: true });
rmSync(report, { force: true });
const { status } = spawnSync(
  'vitest',
  ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...process.argv.slice(2)],
  { cwd: repository, stdio: ['ignore', 'inherit', 'inherit'] },
);
const { passed, failed, complaints } = countTests(report, status);
for (const line of complaints) console.error(line);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
