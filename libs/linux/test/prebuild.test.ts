import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addonOf, run } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'vm-tools-linux-'));
const binary = join(scratch, `prebuilds/linux-${process.arch}/@vm-tools+linux.glibc.node`);

beforeAll(() => {
  const command = ['native/build.mjs', '--prebuild', `--out=${binary}`];
  execFileSync(process.execPath, command, {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: 'inherit',
  });
});

afterAll(() => rmSync(scratch, { recursive: true }));

function readelf(...options: string[]): string {
  const { stdout, error } = spawnSync('readelf', ['--wide', ...options, binary], { encoding: 'utf8' });
  if (error) throw new Error('readelf is missing: apt-get install -y binutils', { cause: error });
  return stdout;
}

describe('the binary that is published', () => {
  test('needs the C library alone', () => {
    expect([...readelf('--dynamic').matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name)).toEqual([
      'libc.so.6',
    ]);
  });

  test('runs on every glibc that Node.js runs on: 2.28', () => {
    const versions = [...readelf('--version-info').matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) =>
      Number(minor),
    );
    expect(versions.length).toBeGreaterThan(0);
    expect(Math.max(...versions)).toBeLessThanOrEqual(28);
  });

  test('shows Node-API its two functions, and nothing else', () => {
    const defined = readelf('--dyn-syms')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , , binding, , section]) => binding === 'GLOBAL' && section !== 'UND');
    expect(defined.map((columns) => columns[7]).sort()).toEqual([
      'napi_register_module_v1',
      'node_api_module_get_api_version_v1',
    ]);
  });

  test('asks nothing of Node.js but Node-API and the handles of libuv 1', () => {
    const wanted = readelf('--dyn-syms')
      .split('\n')
      .filter((line) => / UND /.test(line) && !/@GLIBC/.test(line))
      .map((line) => line.trim().split(/\s+/)[7] ?? '')
      .filter((name) => name !== '' && !/^(_ITM_|__gmon_start__|__cxa_finalize)/.test(name));
    expect(wanted.length).toBeGreaterThan(20);
    expect(wanted.filter((name) => !/^(napi_|uv_)/.test(name))).toEqual([]);
  });

  test('is found where it is published', () => {
    const source = `
      import { close, constants, open } from '@vm-tools/linux';
      close(open('/', constants.O_PATH));
      console.log(process.report.getReport().sharedObjects.filter((path) => path.endsWith('.node')).join());`;
    expect(run({ source }, { env: addonOf(scratch) })).toMatchObject({ status: 0, stdout: `${binary}\n` });
  });

  test('does what Node.js does, in every family of calls', () => {
    const { status, stdout, stderr } = run('smoke.ts', { env: addonOf(scratch) });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: `${process.arch} passed\n`, stderr: '' });
  });
});
