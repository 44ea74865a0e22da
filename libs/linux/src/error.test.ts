import { openSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { check, SystemError, UnsupportedPlatformError } from './error.ts';

describe('a system error', () => {
  test('looks as the one that Node throws', () => {
    const ours = new SystemError(2, 'open', { path: '/no/such' });
    let theirs: NodeJS.ErrnoException | undefined;
    try {
      openSync('/no/such', 'r');
    } catch (error) {
      theirs = error as NodeJS.ErrnoException;
    }
    expect(ours.message).toBe(theirs?.message);
    expect({ ...ours, name: undefined }).toEqual({ ...theirs, name: undefined });
  });

  test('names the address, and nothing that it does not know', () => {
    const error = new SystemError(-111, 'connect', { address: '127.0.0.1:1' });
    expect(error.message).toBe('ECONNREFUSED: connection refused, connect 127.0.0.1:1');
    expect(error).not.toHaveProperty('path');
    expect(new SystemError(9, 'fcntl').message).toBe('EBADF: bad file descriptor, fcntl');
  });

  test('is thrown by check for a negative result alone', () => {
    expect(check(0, 'x')).toBe(0);
    expect(check(7, 'x')).toBe(7);
    expect(() => check(-13, 'openat', { path: 'a' })).toThrow("EACCES: permission denied, openat 'a'");
  });
});

test('an unsupported platform says what, where, why and what to do', () => {
  const cause = new Error('No native build was found\n    loaded from: /x\n');
  expect(new UnsupportedPlatformError('linux', 'riscv64', cause)).toMatchObject({
    code: 'ERR_UNSUPPORTED_PLATFORM',
    cause,
    message:
      '@vm-tools/linux cannot make system calls on linux-riscv64: No native build was found; to compile it ' +
      '(with g++), `npm install node-api-headers` and, in node_modules/@vm-tools/linux, `npm run build:native`',
  });
  expect(new UnsupportedPlatformError('darwin', 'arm64', 'no').message).toContain('run this part');
});
