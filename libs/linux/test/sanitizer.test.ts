import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { addonOf, run } from './program.ts';

const folder = fileURLToPath(new URL('..', import.meta.url));
const sanitized = join(folder, 'build/sanitized');
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');

/** The runtime that has to be loaded before Node: the addon is sanitized, Node is not. */
function runtime(): string {
  const path = execFileSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
  if (!existsSync(path))
    throw new Error('gcc has no AddressSanitizer: apt-get install -y libgcc-12-dev libasan8');
  return path;
}

beforeAll(() => {
  execFileSync(process.execPath, ['native/build.mjs', `--out=${sanitized}/build/Release/linux.node`], {
    cwd: folder,
    stdio: 'inherit',
    env: {
      ...process.env,
      CXXFLAGS: '-g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer',
    },
  });
});

describe('under AddressSanitizer and UndefinedBehaviorSanitizer', () => {
  test('the unit tests pass', () => {
    const env = {
      ...process.env,
      ...addonOf(sanitized),
      LD_PRELOAD: runtime(),
      ASAN_OPTIONS: 'detect_leaks=0',
    };
    const { status, stdout, stderr } = spawnSync(process.execPath, [vitest, 'run', 'libs/linux/src'], {
      cwd: join(folder, '../..'),
      env,
      encoding: 'utf8',
    });
    const output = stdout + stderr;
    expect(output).not.toMatch(/AddressSanitizer|runtime error:/);
    expect(status, output).toBe(0);
  });

  test('nothing that the addon allocates is lost, however its threads end', () => {
    const reports = mkdtempSync(join(tmpdir(), 'vm-tools-linux-'));
    const { status, stdout, stderr } = run('many-watches.ts', {
      env: {
        ...addonOf(sanitized),
        LD_PRELOAD: runtime(),
        ASAN_OPTIONS: `detect_leaks=1:log_path=${join(reports, 'report')}`,
        LSAN_OPTIONS: 'exitcode=0', // Node leaves some of its own behind
      },
    });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '{"left":0}\n', stderr: '' });
    const report = readdirSync(reports)
      .map((name) => readFileSync(join(reports, name), 'utf8'))
      .join('');
    rmSync(reports, { recursive: true });
    expect(report).not.toMatch(/ERROR: AddressSanitizer|runtime error:/);
    // Frame 0 is the allocator, frame 1 who called it.
    expect(report.split('\n').filter((line) => /^\s+#1 .*vm_linux::/.test(line))).toEqual([]);
  });

  test('it is the sanitized addon that is tested', () => {
    const source = `
      import '@vm-tools/linux';
      console.log(process.report.getReport().sharedObjects.filter((path) => /linux.node|san/.test(path)).join('\\n'));`;
    const { stdout } = run({ source }, { env: { ...addonOf(sanitized), LD_PRELOAD: runtime() } });
    expect(stdout).toContain(join(sanitized, 'build/Release/linux.node'));
    expect(stdout).toContain('libubsan');
  });
});
