import { VsockError } from '@vm-tools/vsock';
import { beforeEach, expect, test, vi } from 'vitest';
import { cannotListen, vmAddress } from './vm-address.ts';

const named = { kind: 'unix', path: '/run/x' } as const;

beforeEach(() => vi.stubEnv('LISTEN_PID', `${process.pid}`));

test('a daemon listens where it is told, else at its port of vsock', () => {
  expect(vmAddress(named, 'LISTEN', 9999)).toEqual(named);
  expect(vmAddress(undefined, 'LISTEN', 9999)).toEqual({ kind: 'vsock', cid: 0xffff_ffff, port: 9999 });
});

test('a socket that was passed stands in place of both, and goes with neither another nor what was told', () => {
  vi.stubEnv('LISTEN_FDS', '1');
  expect(vmAddress(undefined, 'LISTEN', 9999)).toEqual({ kind: 'unix-fd', fd: 3 });
  for (const [fds, told] of [
    ['1', named],
    ['2', undefined],
  ] as const) {
    vi.stubEnv('LISTEN_PID', `${process.pid}`);
    vi.stubEnv('LISTEN_FDS', fds);
    expect(() => vmAddress(told, '--listen', 9999)).toThrow(
      expect.objectContaining({
        code: 'ERR_CONFLICTING_OPTIONS',
        subject: '--listen',
        exitCode: 64,
      }) as Error,
    );
  }
});

test.each([
  ['EACCES', 77],
  ['EPERM', 77],
  ['EADDRINUSE', 69],
])('one that cannot listen because of %s ends with %i', (code, exitCode) => {
  const error = new VsockError({
    code,
    operation: 'listen on',
    address: 'vsock::1',
    problem: 'it is not to be',
  });
  expect(() => cannotListen(error)).toThrow(
    expect.objectContaining({ code, exitCode, cause: error }) as Error,
  );
});

test('what is no error of listening stays what it is', () => {
  const error = new Error('else');
  expect(() => cannotListen(error)).toThrow(error);
});
