import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { name, outside, test } from '../test/scratch-directory.ts';
import { constants } from './constants.ts';
import { close, open, openat, pipe } from './descriptor.ts';
import { Errno, errnoCode } from './errno.ts';
import { chmod, fchmod, fdatasync, fsync, ftruncate, lseek, pread, pwrite, truncate } from './file.ts';

const { O_RDONLY, O_RDWR, O_WRONLY, O_CREAT, O_PATH, SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE } =
  constants;

describe('pread and pwrite', () => {
  test('move exactly the bytes asked for, wherever they are', ({ directory }) => {
    const fd = openat(directory.fd, ...name('file'), O_RDWR | O_CREAT, 0o600);
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(bytes, fc.nat(2 ** 40), fc.nat(), fc.nat(), (data, position, a, b) => {
        const start = a % data.length;
        const length = b % (data.length - start + 1);
        expect(pwrite(fd, data, start, length, position)).toBe(length);
        const back = Buffer.alloc(data.length + 8, 0xaa);
        expect(pread(fd, back, 4 + start, length, position)).toBe(length);
        const expected = Buffer.alloc(data.length + 8, 0xaa);
        expected.set(data.subarray(start, start + length), 4 + start);
        expect(back).toEqual(expected);
      }),
    );
    close(fd);
  });

  test('work on views that do not start where their buffer does, and on shared memory', ({ directory }) => {
    const fd = openat(directory.fd, ...name('file'), O_RDWR | O_CREAT, 0o600);
    const shared = new Uint8Array(new SharedArrayBuffer(16), 4, 8);
    shared.set(Buffer.from('12345678'));
    expect(pwrite(fd, shared, 2, 4, 0)).toBe(4);
    expect(readFileSync(join(directory.path, 'file'), 'latin1')).toBe('3456');
    expect(pread(fd, shared, 0, 8, 1)).toBe(3);
    expect(Buffer.from(shared).toString('latin1')).toBe('45645678');
    close(fd);
  });

  test('see the end of the file', ({ directory }) => {
    writeFileSync(join(directory.path, 'file'), 'ab');
    const fd = openat(directory.fd, ...name('file'), O_RDONLY, 0);
    const buffer = Buffer.alloc(8);
    expect(pread(fd, buffer, 0, 8, 0)).toBe(2);
    expect(pread(fd, buffer, 0, 8, 2)).toBe(0);
    close(fd);
  });

  test('give a negative errno', () => {
    const buffer = Buffer.alloc(8);
    const fd = open('/dev/null', O_WRONLY);
    expect(pread(fd, buffer, 0, 8, 0)).toBe(-Errno.EBADF);
    expect(pwrite(fd, buffer, 0, 8, -1)).toBe(-Errno.EINVAL);
    expect(pwrite(fd, buffer, 0, 8, 0.5)).toBe(-Errno.EINVAL);
    expect(pwrite(-1, buffer, 0, 8, 0)).toBe(-Errno.EBADF);
    close(fd);
  });

  test.for(outside)('refuse %d, %d of 8 bytes', ([start, length]) => {
    const fd = open('/dev/zero', O_RDWR);
    const buffer = Buffer.alloc(8);
    expect(errnoCode(pread(fd, buffer, start, length, 0))).toBe('EFAULT');
    expect(errnoCode(pwrite(fd, buffer, start, length, 0))).toBe('EFAULT');
    close(fd);
  });

  test('refuse memory that has been transferred away', () => {
    const fd = open('/dev/zero', O_RDWR);
    const buffer = new Uint8Array(8);
    structuredClone(buffer, { transfer: [buffer.buffer] });
    expect(pread(fd, buffer, 0, 8, 0)).toBe(-Errno.EFAULT);
    expect(pread(fd, buffer, 0, 0, 0)).toBe(0);
    close(fd);
  });
});

describe('lseek', () => {
  test('takes numbers and bigints, and returns 0 however far it goes', ({ directory }) => {
    const fd = openat(directory.fd, ...name('file'), O_RDWR | O_CREAT, 0o600);
    const offset = () =>
      Number(/^pos:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1]);
    expect(lseek(fd, 5, SEEK_SET)).toBe(0);
    expect(lseek(fd, 3n, SEEK_CUR)).toBe(0);
    expect(offset()).toBe(8);
    expect(lseek(fd, 2n ** 40n, SEEK_SET)).toBe(0);
    expect(offset()).toBe(2 ** 40);
    ftruncate(fd, 100);
    expect(lseek(fd, -1, SEEK_END)).toBe(0);
    expect(offset()).toBe(99);
    close(fd);
  });

  test('finds data and holes', ({ directory }) => {
    const fd = openat(directory.fd, ...name('file'), O_RDWR | O_CREAT, 0o600);
    pwrite(fd, Buffer.from('x'), 0, 1, 0);
    expect(lseek(fd, 0, SEEK_HOLE)).toBe(0);
    expect(lseek(fd, 1, SEEK_DATA)).toBe(-Errno.ENXIO);
    close(fd);
  });

  test('gives a negative errno', () => {
    const [read, write] = pipe();
    expect(lseek(read, 0, SEEK_SET)).toBe(-Errno.ESPIPE);
    expect(lseek(-1, 0, SEEK_SET)).toBe(-Errno.EBADF);
    expect(lseek(read, 2n ** 63n, SEEK_SET)).toBe(-Errno.EINVAL);
    for (const fd of [read, write]) close(fd);
  });
});

describe('fsync and fdatasync', () => {
  test('reach the disk, or tell why not', ({ directory }) => {
    const fd = openat(directory.fd, ...name('file'), O_RDWR | O_CREAT, 0o600);
    expect(fsync(fd)).toBe(0);
    expect(fdatasync(fd)).toBe(0);
    close(fd);
    const [read, write] = pipe();
    expect(fsync(read)).toBe(-Errno.EINVAL);
    expect(fdatasync(read)).toBe(-Errno.EINVAL);
    for (const end of [read, write]) close(end);
  });
});

describe('ftruncate and truncate', () => {
  test('set the size', ({ directory }) => {
    const path = join(directory.path, 'file');
    const fd = openat(directory.fd, ...name('file'), O_RDWR | O_CREAT, 0o600);
    expect(ftruncate(fd, 2 ** 33)).toBe(0);
    expect(statSync(path).size).toBe(2 ** 33);
    expect(truncate(`/proc/self/fd/${fd}`, 3)).toBe(0);
    expect(statSync(path).size).toBe(3);
    close(fd);
  });

  test('give a negative errno', ({ directory }) => {
    const fd = openat(directory.fd, ...name('file'), O_RDWR | O_CREAT, 0o600);
    expect(ftruncate(fd, -1)).toBe(-Errno.EINVAL);
    expect(ftruncate(directory.fd, 1)).toBe(-Errno.EBADF);
    expect(truncate(directory.path, 0)).toBe(-Errno.EISDIR);
    expect(truncate('/no/such', 0)).toBe(-Errno.ENOENT);
    close(fd);
  });
});

describe('fchmod and chmod', () => {
  test('set the permissions', ({ directory }) => {
    const path = join(directory.path, 'file');
    const fd = openat(directory.fd, ...name('file'), O_RDWR | O_CREAT, 0o600);
    const link = openat(directory.fd, ...name('file'), O_PATH, 0);
    expect(fchmod(fd, 0o4711)).toBe(0);
    expect(statSync(path).mode & 0o7777).toBe(0o4711);
    expect(fchmod(link, 0o644)).toBe(-Errno.EBADF);
    expect(chmod(`/proc/self/fd/${link}`, 0o644)).toBe(0);
    expect(statSync(path).mode & 0o7777).toBe(0o644);
    for (const each of [fd, link]) close(each);
  });

  test('take paths in UTF-8 of up to 4095 bytes, without NUL', ({ directory }) => {
    const path = join(directory.path, 'näme-✓-𝄞');
    writeFileSync(path, '');
    expect(chmod(path, 0o600)).toBe(0);
    expect(statSync(path).mode & 0o7777).toBe(0o600);
    expect(chmod(`${'/'.repeat(4095 - Buffer.byteLength(path))}${path}`, 0o400)).toBe(0);
    expect(statSync(path).mode & 0o7777).toBe(0o400);
    expect(chmod(`${'/'.repeat(4096 - Buffer.byteLength(path))}${path}`, 0o600)).toBe(-Errno.ENAMETOOLONG);
    expect(chmod('𝄞'.repeat(1024), 0o600)).toBe(-Errno.ENAMETOOLONG);
    expect(chmod('x'.repeat(100_000), 0o600)).toBe(-Errno.ENAMETOOLONG);
    expect(chmod(`${path}\0`, 0o600)).toBe(-Errno.EINVAL);
    expect(chmod('', 0o600)).toBe(-Errno.ENOENT);
    truncateSync(path);
  });
});
