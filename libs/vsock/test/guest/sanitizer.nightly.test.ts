import { execFileSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Guest } from '@vm-tools/guest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checks } from './programs/checks.ts';
import { bootVsockGuest, type Outcome, program, runChecks } from './vsock-guest.ts';

const PATIENCE_MS = 900_000;
const linux = fileURLToPath(new URL('../../../linux', import.meta.url));
const sanitized = `${linux}/build/sanitized/build/Release/linux.node`;
const flags = '-g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer';
const addon = Object.keys(program.files).find((path) => path.endsWith('linux.node')) as string;

/** The libraries of gcc that a sanitized addon needs, for the guest. */
function runtimes(): Record<string, string> {
  return Object.fromEntries(
    ['libasan.so', 'libubsan.so'].map((name) => {
      const path = execFileSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
      if (!existsSync(path)) throw new Error(`gcc has no ${name}: apt-get install -y libgcc-12-dev`);
      const library = realpathSync(path);
      return [`/usr/lib/x86_64-linux-gnu/${basename(library).replace(/(\.so\.\d+).*/, '$1')}`, library];
    }),
  );
}

describe('under AddressSanitizer and UndefinedBehaviorSanitizer, over AF_VSOCK', () => {
  let guest: Guest;
  let env: Record<string, string>;

  beforeAll(async () => {
    execFileSync(process.execPath, ['native/build.mjs', `--out=${sanitized}`], {
      cwd: linux,
      stdio: 'inherit',
      env: { ...process.env, CXXFLAGS: flags },
    });
    const libraries = runtimes();
    env = { LD_PRELOAD: Object.keys(libraries).join(':'), ASAN_OPTIONS: 'detect_leaks=0' };
    const files = { ...program.files, ...libraries, [addon]: sanitized };
    guest = await bootVsockGuest({ files, memory: 2048 });
  }, PATIENCE_MS);
  afterAll(async () => {
    await guest?.[Symbol.asyncDispose]();
  });

  it('is the addon that the checks load', async () => {
    const source = `process.dlopen({ exports: {} }, ${JSON.stringify(addon)});
      console.log(process.report.getReport().sharedObjects.join());`;
    const loaded = await guest.run(['/usr/local/bin/node', '-e', source], { env });
    expect(loaded).toContain(addon);
    expect(loaded).toContain('libasan');
    await expect(guest.run(['/usr/local/bin/node', '-e', source])).rejects.toThrow(
      /libasan|__asan|undefined symbol|ASan/,
    );
  });

  describe.each(['streams', 'rest'])('%s', (set) => {
    let outcomes: Map<string, Outcome>;
    beforeAll(async () => {
      outcomes = await runChecks(guest, set, env);
    }, PATIENCE_MS);
    it.each(Object.keys(checks[set] as object))('%s', (name) => {
      expect(outcomes.get(name)).toEqual({ name });
    });
  });
});
