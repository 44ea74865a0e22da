import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { test } from '../test/scratch-directory.ts';
import { constants } from './constants.ts';
import { close, open } from './descriptor.ts';
import { Errno } from './errno.ts';
import { ofdGetLock, ofdSetLock } from './lock.ts';

const { F_RDLCK, F_WRLCK, F_UNLCK, O_RDWR, O_RDONLY } = constants;

test('locks belong to the open file, not to the process', ({ directory }) => {
  const path = join(directory.path, 'file');
  writeFileSync(path, '');
  const [a, b] = [open(path, O_RDWR), open(path, O_RDWR)];
  expect(ofdSetLock(a, F_WRLCK, 10, 20n)).toBe(0);
  expect(ofdSetLock(b, F_RDLCK, 0, 10)).toBe(0);
  expect(ofdSetLock(b, F_RDLCK, 29, 1)).toBe(-Errno.EAGAIN);
  const found = new BigInt64Array(4);
  expect(ofdGetLock(b, F_RDLCK, 0, 0, found)).toBe(0);
  expect([...found]).toEqual([BigInt(F_WRLCK), 10n, 20n, -1n]);
  expect(ofdSetLock(a, F_UNLCK, 0n, 0)).toBe(0);
  expect(ofdSetLock(b, F_RDLCK, 29, 1)).toBe(0);
  expect(ofdGetLock(a, F_RDLCK, 0, 0, found)).toBe(0);
  expect(found[0]).toBe(BigInt(F_UNLCK));
  for (const fd of [a, b]) close(fd);
});

test('a length of 0 reaches to the end, however far', ({ directory }) => {
  const path = join(directory.path, 'file');
  writeFileSync(path, '');
  const [a, b] = [open(path, O_RDWR), open(path, O_RDWR)];
  expect(ofdSetLock(a, F_WRLCK, 2n ** 62n, 0n)).toBe(0);
  expect(ofdSetLock(b, F_WRLCK, 2n ** 63n - 1n, 1)).toBe(-Errno.EAGAIN);
  expect(ofdSetLock(b, F_WRLCK, 2n ** 62n - 1n, 1)).toBe(0);
  for (const fd of [a, b]) close(fd);
});

test('errors are negative', ({ directory }) => {
  const path = join(directory.path, 'file');
  writeFileSync(path, '');
  const fd = open(path, O_RDONLY);
  expect(ofdSetLock(fd, F_WRLCK, 0, 0)).toBe(-Errno.EBADF);
  expect(ofdSetLock(fd, 77, 0, 0)).toBe(-Errno.EINVAL);
  expect(ofdSetLock(fd, F_RDLCK, -1, 0)).toBe(-Errno.EINVAL);
  expect(ofdSetLock(fd, F_RDLCK, 2n ** 64n, 0)).toBe(-Errno.EINVAL);
  expect(ofdGetLock(fd, F_RDLCK, 0, 0, new BigInt64Array(3))).toBe(-Errno.EFAULT);
  expect(ofdGetLock(-1, F_RDLCK, 0, 0, new BigInt64Array(4))).toBe(-Errno.EBADF);
  close(fd);
});
