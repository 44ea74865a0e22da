import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { parseCrash, setCorePattern } from './core-pattern.ts';

describe('what the kernel tells of a crash', () => {
  test.each([
    ['12:11:1000:100:editor', { pid: 12, signal: 11, uid: 1000, gid: 100, exec: 'editor' }],
    ['12:6:0:4294967294:a:b\nc', { pid: 12, signal: 6, uid: 0, gid: 4294967294, exec: 'a:b\nc' }],
    ['12:6:0:0:', { pid: 12, signal: 6, uid: 0, gid: 0, exec: '' }],
  ])('%j is read', (text, crash) => expect(parseCrash(text)).toEqual(crash));

  test.each(['', '12', '12:6:0:0', '0:6:0:0:x', '-1:6:0:0:x', '1e3:6:0:0:x', '../1:6:0:0:x', 'x:6:0:0:x'])(
    '%j is none',
    (text) => expect(parseCrash(text)).toBeUndefined(),
  );
});

describe('the handler of the kernel', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vm-tools-core-pattern-'));
    return () => rmSync(folder, { recursive: true });
  });

  test('is a command with what the kernel is to tell it; the kernel waits for it', () => {
    setCorePattern(['/bin/node', '/opt/main.cjs'], folder);
    expect(readFileSync(join(folder, 'core_pattern'), 'utf8')).toBe(
      '|/bin/node /opt/main.cjs --user=%P:%s:%u:%g:%f',
    );
    expect(readFileSync(join(folder, 'core_pipe_limit'), 'utf8')).toBe('4');
  });

  test.each([
    [[], 'an absolute path'],
    [['node'], 'an absolute path'],
    [['/bin/a b'], 'no spaces'],
    [['/bin/a%p'], 'no "%"'],
    [['/bin/a', ''], 'no spaces'],
    [[`/${'x'.repeat(104)}`], 'more than 127 bytes'],
  ])('is not %j', (command, why) => {
    expect(() => setCorePattern(command, folder)).toThrow(why);
    expect(readdirSync(folder)).toEqual([]);
  });
});
