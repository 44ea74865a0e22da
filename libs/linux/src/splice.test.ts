import { writeSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { constants } from './constants.ts';
import { close, open, pipe } from './descriptor.ts';
import { Errno } from './errno.ts';
import { read } from './file.ts';
import { setPipeSize, splice } from './splice.ts';

const { O_RDWR, SPLICE_F_MOVE, SPLICE_F_NONBLOCK } = constants;
const opened: number[] = [];
const kept = <T extends readonly number[]>(fds: T): T => {
  opened.push(...fds);
  return fds;
};

afterEach(() => {
  for (const fd of opened.splice(0)) close(fd);
});

test('splice moves bytes from one pipe to another, and swallows them into /dev/null', () => {
  const [from, fill] = kept(pipe());
  const [drain, to] = kept(pipe());
  const [nowhere] = kept([open('/dev/null', O_RDWR)] as const);
  writeSync(fill, 'hello world');
  expect(splice(from, nowhere, 6, SPLICE_F_MOVE)).toBe(6);
  expect(splice(from, to, 1 << 20, SPLICE_F_MOVE)).toBe(5);
  const bytes = Buffer.alloc(16);
  expect(bytes.toString('utf8', 0, read(drain, bytes, 0, 16))).toBe('world');
});

test('splice tells an empty pipe, the end, and descriptors of which none is a pipe', () => {
  const [from, fill] = pipe();
  const [nowhere] = kept([open('/dev/null', O_RDWR)] as const);
  opened.push(from);
  expect(splice(from, nowhere, 1, SPLICE_F_NONBLOCK)).toBe(-Errno.EAGAIN);
  close(fill);
  expect(splice(from, nowhere, 1, SPLICE_F_NONBLOCK)).toBe(0);
  expect(splice(nowhere, nowhere, 1, 0)).toBe(-Errno.EINVAL);
  expect(splice(-1, nowhere, 1, 0)).toBe(-Errno.EBADF);
});

test('setPipeSize makes a pipe hold so much', () => {
  const [from, fill] = kept(pipe());
  expect(setPipeSize(from, 1 << 17)).toBe(1 << 17);
  expect(writeSync(fill, Buffer.alloc(1 << 17))).toBe(1 << 17);
  expect(setPipeSize(from, 4096)).toBe(-Errno.EBUSY);
  const [file] = kept([open('/dev/null', O_RDWR)] as const);
  expect(setPipeSize(file, 4096)).toBe(-Errno.EBADF);
});
