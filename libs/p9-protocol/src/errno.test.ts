import { constants } from 'node:os';
import { describe, expect, test } from 'vitest';
import { Errno, errnoName, errnoOf, P9Error } from './errno.ts';

test('the numbers are those of this Linux', () => {
  expect(process.platform, 'this test compares with the errno numbers of Linux: run it there').toBe('linux');
  const theirs = constants.errno as Record<string, number>;
  const common = Object.entries(Errno).filter(([name]) => name in theirs);
  expect(common.length).toBeGreaterThan(40);
  for (const [name, errno] of common) expect([name, errno]).toStrictEqual([name, theirs[name]]);
});

test('errnoName inverts the table', () => {
  for (const [name, errno] of Object.entries(Errno)) expect(errnoName(errno)).toBe(name);
  expect(errnoName(200)).toBe('errno 200');
});

describe('P9Error', () => {
  test('is made from a name, a number, or a negative number as Node has them', () => {
    for (const error of [
      new P9Error('ENOENT', 'no such file'),
      new P9Error(2, 'no such file'),
      new P9Error(-2, 'no such file'),
    ]) {
      expect(error).toMatchObject({
        name: 'P9Error',
        code: 'ENOENT',
        errno: 2,
        message: 'ENOENT: no such file',
      });
      expect(error).toBeInstanceOf(Error);
    }
  });

  test('keeps the cause', () => {
    const cause = new Error('why');
    expect(new P9Error('EIO', undefined, { cause })).toMatchObject({ message: 'EIO', cause });
  });
});

describe('errnoOf', () => {
  test.each<[string, unknown, number]>([
    ['a P9Error', new P9Error('ENOTEMPTY'), Errno.ENOTEMPTY],
    [
      'an error of Node, with a negative errno',
      Object.assign(new Error('x'), { errno: -13, code: 'EACCES' }),
      13,
    ],
    ['an error with a known code alone', Object.assign(new Error('x'), { code: 'EEXIST' }), 17],
    ['an error with an unknown code', Object.assign(new Error('x'), { code: 'ERR_ASSERTION' }), Errno.EIO],
    ['a code that is a property of every object', { code: 'toString' }, Errno.EIO],
    ['an errno out of range', { errno: 5000 }, Errno.EIO],
    ['an errno of 0', { errno: 0 }, Errno.EIO],
    ['a fraction', { errno: 1.5 }, Errno.EIO],
    ['any other error', new Error('x'), Errno.EIO],
    ['no error at all', 'ENOENT', Errno.EIO],
    ['undefined', undefined, Errno.EIO],
    ['null', null, Errno.EIO],
  ])('of %s', (_, thrown, errno) => {
    expect(errnoOf(thrown)).toBe(errno);
  });
});
