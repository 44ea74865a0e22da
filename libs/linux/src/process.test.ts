import { expect, test } from 'vitest';
import { execve } from './process.ts';

test('execve of what is not there throws, with the path', () => {
  expect(() => execve('/no/such', ['a', Buffer.from([0xff])], ['A=b'])).toThrow(
    expect.objectContaining({ code: 'ENOENT', syscall: 'execve', path: '/no/such' }),
  );
  expect(() => execve('/no/such', [], [])).toThrow(expect.objectContaining({ code: 'ENOENT' }));
});

test('execve takes no string with a NUL, which would be two', () => {
  expect(() => execve('/bin/true', ['a\0b'], [])).toThrow(RangeError);
  expect(() => execve('/bin/true', ['a'], [Buffer.from('A=\0')])).toThrow(RangeError);
});
