import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { kernelFile, regionFile, run } from './vm-pstore-dump.ts';

let folder: string;

// What was built from these very sources is left alone.
beforeAll(() => {
  const script = fileURLToPath(new URL('../../../scripts/build.ts', import.meta.url));
  execFileSync(process.execPath, [script, '@vm-tools/pstore-dump']);
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-pstore-dump-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

it('vm_pstore_dump as it is published prints, refuses and ends as its sources do', async () => {
  for (const name of ['compress-zstd', 'wrap-noecc']) {
    const { code, stdout, stderr } = await run(['--file', regionFile(folder, name), '--dmesg'], 'build');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toEqual(kernelFile(name, 'dmesg-ramoops-0'));
  }
  expect((await run(['--file', join(folder, 'absent')], 'build')).code).toBe(2);
  expect((await run(['--nonsense'], 'build')).code).toBe(64);
});
