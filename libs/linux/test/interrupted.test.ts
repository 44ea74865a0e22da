import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { run } from './program.ts';

const interrupted =
  'openat64 pread64 pwrite64 fstatfs64 utimensat fchownat mkdirat symlinkat linkat unlinkat readlinkat recv sendmsg ' +
  'accept4 poll connect syscall ';

test('a call that a signal interrupts is made again, and a connect waited for', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'vm-tools-linux-'));
  const library = join(scratch, 'interrupt.so');
  const source = fileURLToPath(new URL('interrupt.c', import.meta.url));
  execFileSync(
    'gcc',
    ['-shared', '-fPIC', '-O1', '-Wall', '-Wextra', '-Werror', source, '-o', library, '-ldl'],
    {
      stdio: 'inherit',
    },
  );
  const { status, stdout, stderr } = run('smoke.ts', { env: { LD_PRELOAD: library } });
  rmSync(scratch, { recursive: true });
  expect({ status, stdout, stderr }).toEqual({
    status: 0,
    stdout: `${process.arch} passed\n`,
    stderr: interrupted,
  });
});
