import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../../../', import.meta.url));
const MODULES = '/usr/local/lib/node_modules';

/** Packages as `npm install --global` leaves them in a guest. */
export interface Installed {
  readonly files: Readonly<Record<string, string>>;
  /** Makes their commands, in the guest. */
  readonly script: string;
}

/** What is published of packages of this repository (`libs/minidump`), built if need be. The native one comes along. */
export function installed(folders: readonly string[]): Installed {
  const all = ['libs/linux', ...folders];
  // One at a time: a build begins with removing what the one before has made.
  const lock = join(repository, '.cache/build.lock');
  execFileSync('flock', [lock, process.execPath, 'scripts/build.ts', ...all], {
    cwd: repository,
    stdio: 'pipe',
  });
  const files: Record<string, string> = {};
  const links: string[] = [];
  for (const folder of all) {
    const manifest = join(repository, folder, 'package.json');
    const { name, bin = {} } = JSON.parse(readFileSync(manifest, 'utf8')) as {
      name: string;
      bin?: Record<string, string>;
    };
    const home = `${MODULES}/${name}`;
    files[`${home}/package.json`] = manifest;
    files[`${home}/dist`] = join(repository, folder, 'dist');
    for (const [command, path] of Object.entries(bin))
      links.push(`ln -s ${home}/${path} /usr/local/bin/${command}`);
  }
  // What the native package has in it, and what it depends on.
  files[`${MODULES}/node-gyp-build`] = join(repository, 'node_modules/node-gyp-build');
  const addon = 'build/Release/linux.node';
  files[`${MODULES}/@vm-tools/linux/${addon}`] = join(repository, 'libs/linux', addon);
  return { files, script: links.join('\n') };
}
