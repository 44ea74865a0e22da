import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { addonOf, run } from './program.ts';

/** Calls everything that the package exports and prints what is thrown. */
const source = `
  import * as linux from '@vm-tools/linux';
  const own = ['check', 'errnoCode', 'errnoMessage', 'seccompProgram', 'encodeAddress', 'decodeAddress'];
  const messages = {};
  for (const [name, value] of Object.entries(linux)) {
    if (typeof value !== 'function' || own.includes(name) || /^[A-Z]/.test(name)) continue;
    try {
      if (name === 'bind' || name === 'connect') value(0, { family: 'inet', host: '127.0.0.1', port: 1 });
      else if (name === 'execve') value('/x', [], []);
      else if (name === 'landlockCreateRuleset') value({ fs: 0 });
      else if (name === 'landlockAllow') value(0, 0, 0);
      else if (name === 'mmap') value({}, 0, 0, {});
      else if (name === 'watch') value(0, {}, () => undefined);
      else value('/x');
      messages[name] = 'no error';
    } catch (error) {
      messages[name] = error.code + ' ' + error.message;
    }
  }
  console.log(JSON.stringify({ messages, O_PATH: linux.constants.O_PATH, ENOENT: linux.Errno.ENOENT }));`;

function messages(options: Parameters<typeof run>[1]): Record<string, string> {
  const { stdout, stderr } = run({ source }, options);
  expect(stderr).toBe('');
  const seen = JSON.parse(stdout) as { messages: Record<string, string>; O_PATH: number; ENOENT: number };
  expect(seen).toMatchObject({ O_PATH: 0, ENOENT: 2 });
  expect(Object.keys(seen.messages).length).toBeGreaterThan(50);
  return seen.messages;
}

describe('where the addon cannot be had', () => {
  test('on another system, the package loads and each call says so', () => {
    const pretend = "data:text/javascript,Object.defineProperty(process,'platform',{value:'darwin'})";
    for (const [call, message] of Object.entries(messages({ flags: ['--import', pretend] }))) {
      expect(message, call).toBe(
        `ERR_UNSUPPORTED_PLATFORM @vm-tools/linux cannot make system calls on darwin-${process.arch}: ` +
          'it consists of Linux system calls; run this part of your program on Linux',
      );
    }
  });

  test('without a binary for this machine, the package loads and each call says what to do', () => {
    const empty = mkdtempSync(join(tmpdir(), 'vm-tools-linux-'));
    for (const [call, message] of Object.entries(messages({ env: addonOf(empty) }))) {
      expect(message, call).toContain(
        'ERR_UNSUPPORTED_PLATFORM @vm-tools/linux cannot make system calls on linux-',
      );
      expect(message, call).toContain('No native build was found for platform=linux');
      expect(message, call).toContain('npm run build:native');
    }
    rmSync(empty, { recursive: true });
  });
});
