import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

test('a command in the guest reads and writes the folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'example-'));
  writeFileSync(join(folder, 'question'), '6 * 7\n');
  const program = fileURLToPath(new URL('./main.ts', import.meta.url));
  const script = 'echo $(($(cat question))) > answer; cat /proc/mounts | grep -c " /mnt 9p "';
  const output = execFileSync(
    process.execPath,
    ['--conditions=@vm-tools/source', program, folder, 'sh', '-c', script],
    { encoding: 'utf8' },
  );
  expect(output).toBe('1\n');
  expect(readFileSync(join(folder, 'answer'), 'utf8')).toBe('42\n');
  rmSync(folder, { recursive: true });
});
