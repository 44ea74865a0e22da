import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { prepareGuest } from '../src/index.ts';

test("the program in @vm-tools/vmm's README runs", async () => {
  const readme = readFileSync(new URL('../../libs/vmm/README.md', import.meta.url), 'utf8');
  const source = /^```ts types\n([\s\S]*?)^```/m.exec(readme)?.[1] ?? '';
  const { kernel, initrd } = await prepareGuest();
  // Within the repository, where the package's name is found.
  const folder = mkdtempSync(fileURLToPath(new URL('../../.cache/readme-', import.meta.url)));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const program = join(folder, 'program.mts');
  writeFileSync(program, source);
  const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=@vm-tools/source', program], {
    env: { ...process.env, VMTOOLS_KERNEL: kernel, VMTOOLS_INITRD: initrd },
  });
  expect(stdout).toMatch(
    /^\{ status: 'running', .*\}\nwaiting for "this never comes" on the console: the VM exited with status 0\nIts console ends with:\n(?: {2}.*\n)+\{ code: 0, signal: null \}\n$/,
  );
});
