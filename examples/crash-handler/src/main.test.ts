import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readMinidump } from '@vm-tools/minidump';
import { synthesizeCore } from '@vm-tools/minidump/synth';
import { expect, test } from 'vitest';

test('what the kernel would pipe to it becomes a minidump with the name of the program', () => {
  const folder = mkdtempSync(join(tmpdir(), 'example-crash-handler-'));
  const core = synthesizeCore({
    threads: [{ tid: 7, signal: 11, registers: { rsp: 0x7000n } }],
    segments: [{ start: 0x7000n, bytes: new Uint8Array(4096) }],
  });
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const args = ['--conditions=@vm-tools/source', main, folder, `${process.pid}`, '../worker 1'];
  const { status, stderr } = spawnSync(process.execPath, args, { input: core, encoding: 'utf8' });
  const name = `.._worker_1.${process.pid}.dmp`;
  expect([status, stderr]).toEqual([0, `${folder}/${name}: signal 11, 1 threads\n`]);
  expect(readdirSync(folder)).toEqual([name]);
  expect(readMinidump(readFileSync(join(folder, name))).exception?.code).toBe(11);
  rmSync(folder, { recursive: true });
});
