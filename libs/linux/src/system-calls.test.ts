import { expect, test } from 'vitest';
import { addon } from './addon.ts';
import { systemCalls } from './system-calls.ts';

test('the calls are those of the addon, neither more nor fewer', () => {
  expect(systemCalls).toEqual(addon.systemCalls);
  expect(Object.isFrozen(systemCalls)).toBe(true);
});

test('their numbers are those of the architecture', () => {
  const known = { x64: { execve: 59, ptrace: 101, fork: 57 }, arm64: { execve: 221, ptrace: 117, fork: -1 } };
  const expected = known[process.arch as keyof typeof known];
  expect(systemCalls).toMatchObject({ ...expected, clone3: 435, io_uring_setup: 425, fchmodat2: 452 });
  const numbers = Object.values(systemCalls).filter((number) => number >= 0);
  expect(new Set(numbers).size).toBe(numbers.length);
});
