import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { describe, expect, test } from 'vitest';
import { Errno, errnoCode, errnoMessage } from './errno.ts';

describe('error numbers', () => {
  test('are those of this system', () => {
    expect(Errno).toMatchObject(constants.errno);
    expect(Errno.EHWPOISON).toBe(133);
    expect(Object.keys(Errno)).toHaveLength(134);
  });

  test('have the names and messages that Node gives them', () => {
    const known = [...getSystemErrorMap()].filter(([number]) => number > -1000);
    expect(known.length).toBeGreaterThan(60);
    for (const [number, [code, message]] of known) {
      expect([errnoCode(number), errnoMessage(number)]).toEqual([code, message]);
    }
  });

  test('name each other both ways, whatever the sign', () => {
    for (const [code, number] of Object.entries(Errno)) {
      const alias = ['EWOULDBLOCK', 'EDEADLOCK', 'EOPNOTSUPP'].includes(code);
      expect(Errno[errnoCode(number) as keyof typeof Errno]).toBe(number);
      if (!alias) expect(errnoCode(-number)).toBe(code);
    }
  });

  test('that do not exist say so', () => {
    expect(errnoCode(4095)).toBe('Unknown system error -4095');
    expect(errnoMessage(-41)).toBe('Unknown system error -41');
    expect(errnoCode(0)).toBe('Unknown system error 0');
  });
});
