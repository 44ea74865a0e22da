import { fstatSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect } from 'vitest';
import { name, refused, test } from '../test/scratch-directory.ts';
import { constants } from './constants.ts';
import {
  close,
  dup,
  dup3,
  getFlags,
  open,
  openat,
  openatStat,
  pipe,
  reopen,
  reopenIn,
  setNonblocking,
  umask,
} from './descriptor.ts';
import { Errno, errnoCode } from './errno.ts';
import { pread, pwrite } from './file.ts';
import { fstat, STAT_WORDS } from './stat.ts';

const { O_RDONLY, O_RDWR, O_WRONLY, O_CREAT, O_EXCL, O_PATH, O_NOFOLLOW, O_NONBLOCK, O_ACCMODE } = constants;

/** Whether a descriptor would be open after exec. */
function inherited(fd: number): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '';
  return (Number.parseInt(flags, 8) & constants.O_CLOEXEC) === 0;
}

describe('openat', () => {
  test('creates a file with the permissions asked for, close-on-exec', ({ directory }) => {
    const before = umask(0o027);
    const fd = openat(directory.fd, ...name('new'), O_RDWR | O_CREAT | O_EXCL, 0o666);
    umask(before);
    expect(fd).toBeGreaterThan(2);
    expect(statSync(join(directory.path, 'new')).mode & 0o7777).toBe(0o640);
    expect(inherited(fd)).toBe(false);
    expect(close(fd)).toBe(0);
  });

  test('takes part of an array as the name', ({ directory }) => {
    const bytes = Buffer.from('..abc/..');
    const fd = openat(directory.fd, bytes, 2, 3, O_RDWR | O_CREAT, 0o600);
    expect(readlinkSync(`/proc/self/fd/${fd}`)).toBe(join(directory.path, 'abc'));
    close(fd);
  });

  test('opens a name that is not UTF-8', ({ directory }) => {
    const bytes = Uint8Array.of(0xff, 0xfe, 0x80);
    const path = Buffer.concat([Buffer.from(`${directory.path}/`), bytes]);
    writeFileSync(path, 'x');
    const fd = openat(directory.fd, ...name(bytes), O_RDONLY, 0);
    expect(fstatSync(fd).size).toBe(1);
    close(fd);
  });

  test('gives a negative errno', ({ directory }) => {
    expect(openat(directory.fd, ...name('none'), O_RDONLY, 0)).toBe(-Errno.ENOENT);
    expect(openat(directory.fd, ...name(''), O_RDONLY, 0)).toBe(-Errno.ENOENT);
    expect(openat(-1, ...name('none'), O_RDONLY, 0)).toBe(-Errno.EBADF);
    expect(openat(directory.fd, ...name('x'.repeat(4095)), O_RDONLY, 0)).toBe(-Errno.ENAMETOOLONG);
  });

  test.for(refused)('refuses the name %#', ([bytes, start, length, code], { directory }) => {
    expect(errnoCode(openat(directory.fd, bytes, start, length, O_RDONLY, 0))).toBe(code);
  });
});

describe('openatStat', () => {
  const O_FLAGS = O_PATH | O_NOFOLLOW;

  test('opens, close-on-exec, and gives what fstat would', ({ directory }) => {
    writeFileSync(join(directory.path, 'file'), 'twelve bytes');
    symlinkSync('nowhere', join(directory.path, 'link'));
    for (const entry of ['file', 'link', '.']) {
      const stat = new Uint32Array(STAT_WORDS);
      const fd = openatStat(directory.fd, ...name(entry), O_FLAGS, stat);
      expect(fd).toBeGreaterThan(2);
      expect(inherited(fd)).toBe(false);
      const expected = new Uint32Array(STAT_WORDS);
      expect(fstat(fd, expected)).toBe(0);
      expect(stat).toEqual(expected);
      close(fd);
    }
  });

  test('gives a negative errno and leaves nothing open', ({ directory }) => {
    const stat = new Uint32Array(STAT_WORDS);
    const next = open('/dev/null', O_RDONLY);
    close(next);
    expect(openatStat(directory.fd, ...name('none'), O_FLAGS, stat)).toBe(-Errno.ENOENT);
    expect(openatStat(-1, ...name('none'), O_FLAGS, stat)).toBe(-Errno.EBADF);
    expect(openatStat(directory.fd, ...name('.'), O_FLAGS, stat.subarray(1))).toBe(-Errno.EFAULT);
    const again = open('/dev/null', O_RDONLY);
    close(again);
    expect(again).toBe(next);
  });

  test.for(refused)('refuses the name %#', ([bytes, start, length, code], { directory }) => {
    const stat = new Uint32Array(STAT_WORDS);
    expect(errnoCode(openatStat(directory.fd, bytes, start, length, O_FLAGS, stat))).toBe(code);
  });
});

describe('reopen', () => {
  test('gives an O_PATH descriptor the access that it lacks', ({ directory }) => {
    writeFileSync(join(directory.path, 'file'), 'content');
    const path = openat(directory.fd, ...name('file'), O_PATH | O_NOFOLLOW, 0);
    const buffer = Buffer.alloc(7);
    expect(pread(path, buffer, 0, 7, 0)).toBe(-Errno.EBADF);
    const fd = reopen(path, O_RDONLY);
    expect(pread(fd, buffer, 0, 7, 0)).toBe(7);
    expect(buffer.toString()).toBe('content');
    expect(inherited(fd)).toBe(false);
    close(fd);
    close(path);
  });

  test('refuses a symbolic link and what is not open', ({ directory }) => {
    symlinkSync('target', join(directory.path, 'link'));
    const link = openat(directory.fd, ...name('link'), O_PATH | O_NOFOLLOW, 0);
    expect(reopen(link, O_RDONLY)).toBe(-Errno.ELOOP);
    close(link);
    expect(reopen(-1, O_RDONLY)).toBe(-Errno.EBADF);
    expect(reopen(0x7fff_ffff, O_RDONLY)).toBe(-Errno.ENOENT);
  });

  test('does the same in a descriptor of /proc/self/fd', ({ directory }) => {
    writeFileSync(join(directory.path, 'file'), 'content');
    symlinkSync('target', join(directory.path, 'link'));
    const descriptors = open('/proc/self/fd', O_PATH);
    const path = openat(directory.fd, ...name('file'), O_PATH | O_NOFOLLOW, 0);
    const link = openat(directory.fd, ...name('link'), O_PATH | O_NOFOLLOW, 0);
    const buffer = Buffer.alloc(7);
    const fd = reopenIn(descriptors, path, O_RDONLY);
    expect(pread(fd, buffer, 0, 7, 0)).toBe(7);
    expect(buffer.toString()).toBe('content');
    expect(inherited(fd)).toBe(false);
    expect(reopenIn(descriptors, link, O_RDONLY)).toBe(-Errno.ELOOP);
    expect(reopenIn(descriptors, -1, O_RDONLY)).toBe(-Errno.EBADF);
    expect(reopenIn(descriptors, 0x7fff_ffff, O_RDONLY)).toBe(-Errno.ENOENT);
    expect(reopenIn(-1, path, O_RDONLY)).toBe(-Errno.EBADF);
    for (const each of [fd, link, path, descriptors]) close(each);
  });
});

test('dup3 puts one descriptor in the place of another, not to be inherited', () => {
  const [read, write] = pipe();
  const place = open('/dev/null', O_RDONLY);
  expect(dup3(write, place)).toBe(place);
  expect(readlinkSync(`/proc/self/fd/${place}`)).toBe(readlinkSync(`/proc/self/fd/${write}`));
  expect(inherited(place)).toBe(false);
  expect(dup3(place, place)).toBe(-Errno.EINVAL);
  expect(dup3(-1, place)).toBe(-Errno.EBADF);
  for (const fd of [read, write, place]) close(fd);
});

test('close tells that a descriptor is not open', () => {
  expect(close(-1)).toBe(-Errno.EBADF);
  expect(close(0x7fff_ffff)).toBe(-Errno.EBADF);
});

describe('open', () => {
  test('opens a path', () => {
    const fd = open('/dev/null', O_WRONLY);
    expect(readlinkSync(`/proc/self/fd/${fd}`)).toBe('/dev/null');
    expect(inherited(fd)).toBe(false);
    close(fd);
  });

  test('throws as Node does', () => {
    expect(() => open('/no/such', O_RDONLY)).toThrow(
      expect.objectContaining({
        code: 'ENOENT',
        errno: -2,
        syscall: 'open',
        path: '/no/such',
        message: "ENOENT: no such file or directory, open '/no/such'",
      }),
    );
    expect(() => open('/dev/null\0', O_RDONLY)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });
});

test('dup gives a second, close-on-exec descriptor of the same file', () => {
  const [read, write] = pipe();
  const again = dup(write);
  expect(readlinkSync(`/proc/self/fd/${again}`)).toBe(readlinkSync(`/proc/self/fd/${write}`));
  expect(inherited(again)).toBe(false);
  for (const fd of [read, write, again]) close(fd);
  expect(() => dup(-1)).toThrow('EBADF: bad file descriptor, fcntl');
});

test('setNonblocking shows in getFlags and touches nothing else', () => {
  const [read, write] = pipe();
  const before = getFlags(write);
  expect(before & (O_NONBLOCK | O_ACCMODE)).toBe(O_WRONLY);
  setNonblocking(write, true);
  setNonblocking(write, true);
  expect(getFlags(write)).toBe(before | O_NONBLOCK);
  setNonblocking(write, false);
  expect(getFlags(write)).toBe(before);
  for (const fd of [read, write]) close(fd);
  expect(() => setNonblocking(-1, true)).toThrow(expect.objectContaining({ code: 'EBADF' }));
  expect(() => getFlags(-1)).toThrow(expect.objectContaining({ code: 'EBADF' }));
});

test('pipe has an end to read and one to write, both close-on-exec', () => {
  const [read, write] = pipe();
  expect([getFlags(read) & O_ACCMODE, getFlags(write) & O_ACCMODE]).toEqual([O_RDONLY, O_WRONLY]);
  expect([inherited(read), inherited(write)]).toEqual([false, false]);
  expect(pwrite(write, Buffer.from('x'), 0, 1, 0)).toBe(-Errno.ESPIPE);
  for (const fd of [read, write]) close(fd);
});

describe('umask', () => {
  test('gives the mask before', () => {
    const before = umask(0o123);
    expect(umask(before)).toBe(0o123);
    expect(process.umask()).toBe(before);
  });

  test('works in a worker, where process.umask does not', async () => {
    const before = umask(0o031);
    const worker = new Worker(new URL('../test/umask-worker.ts', import.meta.url));
    const seen = await new Promise((resolve, reject) =>
      worker.once('message', resolve).once('error', reject),
    );
    expect([seen, umask(before)]).toEqual([0o031, 0o013]);
  });
});
