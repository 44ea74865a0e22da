import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { name, outside, refused, type ScratchDirectory, test } from '../test/scratch-directory.ts';
import { constants } from './constants.ts';
import { close, openat } from './descriptor.ts';
import { Errno, errnoCode } from './errno.ts';
import { getxattr, listxattr, removexattr, setxattr } from './xattr.ts';

const attribute = name('user.vm-tools');
const value = Buffer.from('<value>');

function file({ path }: ScratchDirectory): string {
  const file = join(path, 'file');
  writeFileSync(file, '');
  const result = setxattr(file, ...attribute, value, 1, 5, 0);
  if (result === -Errno.EOPNOTSUPP) {
    throw new Error(`${path} has no user attributes: set TMPDIR to a folder of ext4, xfs or btrfs`);
  }
  expect(result).toBe(0);
  return file;
}

describe('extended attributes', () => {
  test('are set, asked for their size, read, listed and removed', ({ directory }) => {
    const path = file(directory);
    expect(getxattr(path, ...attribute, new Uint8Array(0))).toBe(5);
    const buffer = Buffer.alloc(6, '.');
    expect(getxattr(path, ...attribute, buffer)).toBe(5);
    expect(buffer.toString()).toBe('value.');
    const size = listxattr(path, new Uint8Array(0));
    const names = Buffer.alloc(size);
    expect(listxattr(path, names)).toBe(size);
    expect(names.toString().split('\0')).toContain('user.vm-tools');
    expect(removexattr(path, ...attribute)).toBe(0);
    expect(getxattr(path, ...attribute, buffer)).toBe(-Errno.ENODATA);
    expect(removexattr(path, ...attribute)).toBe(-Errno.ENODATA);
  });

  test('are reached through an O_PATH descriptor', ({ directory }) => {
    file(directory);
    const fd = openat(directory.fd, ...name('file'), constants.O_PATH, 0);
    expect(getxattr(`/proc/self/fd/${fd}`, ...attribute, new Uint8Array(0))).toBe(5);
    close(fd);
  });

  test('keep any value under any name', ({ directory }) => {
    const path = file(directory);
    const anyName = fc
      .uint8Array({ minLength: 1, maxLength: 200 })
      .map((bytes) => Buffer.concat([Buffer.from('user.'), bytes.map((byte) => byte || 1)]));
    fc.assert(
      fc.property(anyName, fc.uint8Array({ maxLength: 500 }), (bytes, data) => {
        expect(setxattr(path, ...name(bytes), data, 0, data.length, 0)).toBe(0);
        const buffer = new Uint8Array(500);
        expect(getxattr(path, ...name(bytes), buffer)).toBe(data.length);
        expect(buffer.subarray(0, data.length)).toEqual(data);
        expect(removexattr(path, ...name(bytes))).toBe(0);
      }),
    );
  });

  test('are created or replaced on demand', ({ directory }) => {
    const path = file(directory);
    expect(setxattr(path, ...attribute, value, 0, 1, constants.XATTR_CREATE)).toBe(-Errno.EEXIST);
    expect(setxattr(path, ...attribute, value, 0, 1, constants.XATTR_REPLACE)).toBe(0);
    expect(setxattr(path, ...name('user.new'), value, 0, 1, constants.XATTR_REPLACE)).toBe(-Errno.ENODATA);
    expect(setxattr(path, ...name('user.new'), value, 0, 1, constants.XATTR_CREATE)).toBe(0);
  });

  test('tell a buffer that is too short', ({ directory }) => {
    const path = file(directory);
    expect(getxattr(path, ...attribute, new Uint8Array(4))).toBe(-Errno.ERANGE);
    expect(listxattr(path, new Uint8Array(4))).toBe(-Errno.ERANGE);
  });

  test('give a negative errno', ({ directory }) => {
    expect(getxattr('/no/such', ...attribute, value)).toBe(-Errno.ENOENT);
    expect(listxattr('/no/such', value)).toBe(-Errno.ENOENT);
    expect(setxattr('/no/such', ...attribute, value, 0, 1, 0)).toBe(-Errno.ENOENT);
    expect(removexattr('/no/such', ...attribute)).toBe(-Errno.ENOENT);
    expect(setxattr(directory.path, ...name('bad'), value, 0, 1, 0)).toBe(-Errno.EOPNOTSUPP);
  });

  test('refuse values and names outside their arrays', ({ directory }) => {
    const path = file(directory);
    const eight = Buffer.alloc(8);
    for (const [start, length] of outside) {
      expect(setxattr(path, ...attribute, eight, start, length, 0)).toBe(-Errno.EFAULT);
    }
    for (const [bytes, start, length, code] of refused) {
      expect(errnoCode(getxattr(path, bytes, start, length, eight))).toBe(code);
      expect(errnoCode(setxattr(path, bytes, start, length, eight, 0, 1, 0))).toBe(code);
      expect(errnoCode(removexattr(path, bytes, start, length))).toBe(code);
    }
  });
});
