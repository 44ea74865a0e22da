import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const linux = join(repository, 'libs/linux');
const sanitized = join(linux, 'build/sanitized');
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
const flags = '-g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer';

test('the tests pass with @vm-tools/linux under AddressSanitizer and UndefinedBehaviorSanitizer', {
  timeout: 600_000,
}, () => {
  const runtime = execFileSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
  if (!existsSync(runtime))
    throw new Error('gcc has no AddressSanitizer: apt-get install -y libgcc-12-dev libasan8');
  // As its own test builds it: whoever comes first.
  execFileSync(process.execPath, ['native/build.mjs', `--out=${sanitized}/build/Release/linux.node`], {
    cwd: linux,
    stdio: 'inherit',
    env: { ...process.env, CXXFLAGS: flags },
  });
  const { status, stdout, stderr } = spawnSync(process.execPath, [vitest, 'run', 'libs/vsock/src'], {
    cwd: repository,
    encoding: 'utf8',
    env: {
      ...process.env,
      '@VM_TOOLS/LINUX_PREBUILD': sanitized,
      LD_PRELOAD: runtime,
      ASAN_OPTIONS: 'detect_leaks=0',
    },
  });
  const output = stdout + stderr;
  expect(output).not.toMatch(/AddressSanitizer|runtime error:/);
  expect(status, output).toBe(0);
});
