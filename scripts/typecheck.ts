import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { repository, workspaces } from './workspaces.ts';

/** The projects that `tsc -b` builds: every workspace's, found and not listed, and the repository's own scripts and tests. */
export function projects(): string[] {
  return ['.', ...workspaces().map(({ folder }) => folder)].filter((folder) =>
    existsSync(join(repository, folder, 'tsconfig.json')),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { status } = spawnSync('tsc', ['-b', ...process.argv.slice(2), ...projects()], {
    cwd: repository,
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
}
