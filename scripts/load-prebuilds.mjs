// Loads the prebuilt addon of each native package for this machine, so that what cannot be loaded is never published.
// Arguments such as `linux-arm64/musl` name further binaries that must be there, to be loaded elsewhere.
import { globSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
const libc = process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
const here = `${process.platform}-${process.arch}/${libc}`;

const folders = globSync('libs/*/prebuilds', { cwd: root });
if (folders.length === 0)
  throw new Error('no package has prebuilds: run npm run prebuild:glibc --workspaces --if-present');
for (const folder of folders) {
  for (const target of new Set([here, ...process.argv.slice(2)])) {
    const [platform, flavour] = target.split('/');
    const found = globSync(join(root, folder, platform, `*.${flavour}.node`));
    if (found.length !== 1) throw new Error(`${folder}: ${found.length} binaries for ${target}, not one`);
    if (target !== here) continue;
    const names = Object.keys(require(found[0]));
    if (names.length === 0) throw new Error(`${found[0]} exports nothing`);
    console.log(`${found[0].slice(root.length)}: loaded, ${names.length} exports`);
  }
}
