import { describe, expect, test } from 'vitest';
import { addon, asked, loadAddon } from './addon.ts';
import { Errno } from './errno.ts';
import { UnsupportedPlatformError } from './error.ts';
import './index.ts';

describe('the table of native calls', () => {
  test('is what the TypeScript side asks for, neither more nor fewer', () => {
    expect([...asked].sort()).toEqual(Object.keys(addon.calls).sort());
    for (const call of Object.values(addon.calls)) expect(call).toBeTypeOf('function');
  });

  test.each(Object.keys(addon.calls))('%s refuses missing arguments', (name) => {
    expect((addon.calls[name] as () => number)()).toBe(-Errno.EINVAL);
  });

  test.each(Object.keys(addon.calls))('%s refuses arguments of the wrong type', (name) => {
    const call = addon.calls[name] as (...args: unknown[]) => number;
    for (const wrong of [
      null,
      {},
      [],
      'x\0',
      Symbol('x'),
      true,
      () => 0,
      new ArrayBuffer(8),
      new DataView(new ArrayBuffer(8)),
    ]) {
      expect(call(...Array<unknown>(10).fill(wrong))).toBe(-Errno.EINVAL);
    }
  });

  test.each([
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    0.5,
    2 ** 32,
    -(2 ** 31) - 1,
    2 ** 63,
    -(2 ** 64),
  ])('takes no %d for a 32-bit integer', (number) => {
    expect((addon.calls['close'] as (fd: number) => number)(number)).toBe(-Errno.EINVAL);
  });

  test('takes -1 and 0xffffffff for the same 32 bits', () => {
    const close = addon.calls['close'] as (fd: number) => number;
    expect(close(-1)).toBe(-Errno.EBADF);
    expect(close(0xffff_ffff)).toBe(-Errno.EBADF);
    expect(close(-(2 ** 31))).toBe(-Errno.EBADF);
  });
});

describe('where there is no addon', () => {
  const cases = [
    { platform: 'darwin', arch: 'arm64', load: () => ({}) },
    {
      platform: 'linux',
      arch: 'riscv64',
      load: () => {
        throw new Error('No native build was found for platform=linux arch=riscv64');
      },
    },
  ];

  test.each(cases)('loading works and every call throws one clear error: $platform', (surroundings) => {
    const { calls, constants } = loadAddon(surroundings);
    expect(constants).toEqual({});
    for (const name of asked) {
      expect(calls[name], name).toThrow(UnsupportedPlatformError);
      expect(calls[name], name).toThrow(`on ${surroundings.platform}-${surroundings.arch}`);
    }
  });
});
