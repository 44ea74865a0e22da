import { expect, test } from 'vitest';
import { constants } from './constants.ts';
import { close, eventfd } from './descriptor.ts';
import { epollControl, epollCreate, epollWait } from './epoll.ts';
import { Errno } from './errno.ts';
import { read, write } from './file.ts';

const { EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, EPOLLIN, EPOLLOUT, EPOLLET, EFD_NONBLOCK } = constants;
const one = new Uint8Array(BigUint64Array.of(1n).buffer);

test('epoll tells what is ready, by the token that it was added with', () => {
  const epoll = epollCreate();
  const [a, b] = [eventfd(0, EFD_NONBLOCK), eventfd(0, EFD_NONBLOCK)];
  const events = new Uint32Array(8);
  expect(epollControl(epoll, EPOLL_CTL_ADD, a, EPOLLIN, 0xffff_fffe)).toBe(0);
  expect(epollControl(epoll, EPOLL_CTL_ADD, b, EPOLLIN | EPOLLOUT | EPOLLET, 7)).toBe(0);
  expect(epollControl(epoll, EPOLL_CTL_ADD, b, EPOLLIN, 7)).toBe(-Errno.EEXIST);
  expect(epollWait(epoll, events, 0)).toBe(1);
  expect([...events.subarray(0, 2)]).toEqual([7, EPOLLOUT]);
  expect(epollWait(epoll, events, 0)).toBe(0);
  expect(write(a, one, 0, 8)).toBe(8);
  expect(epollWait(epoll, events, -1)).toBe(1);
  expect([...events.subarray(0, 2)]).toEqual([0xffff_fffe, EPOLLIN]);
  expect(epollControl(epoll, EPOLL_CTL_MOD, a, 0, 1)).toBe(0);
  expect(epollWait(epoll, events, 1)).toBe(0);
  expect(epollControl(epoll, EPOLL_CTL_DEL, a, 0, 0)).toBe(0);
  expect(epollControl(epoll, EPOLL_CTL_DEL, a, 0, 0)).toBe(-Errno.ENOENT);
  for (const fd of [a, b, epoll]) close(fd);
});

test('epoll writes no more events than there is room for', () => {
  const epoll = epollCreate();
  const fds = [1, 2, 3].map((initial) => eventfd(initial));
  for (const [token, fd] of fds.entries()) epollControl(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, token);
  const events = new Uint32Array(5).fill(99);
  expect(epollWait(epoll, events, 0)).toBe(2);
  expect(events[4]).toBe(99);
  expect(epollWait(epoll, new Uint32Array(1), 0)).toBe(-Errno.EFAULT);
  expect(epollWait(-1, events, 0)).toBe(-Errno.EBADF);
  for (const fd of [...fds, epoll]) close(fd);
});

test('an eventfd counts, and is empty when it was read', () => {
  const fd = eventfd(2, EFD_NONBLOCK);
  const value = new BigUint64Array(1);
  const bytes = new Uint8Array(value.buffer);
  expect(write(fd, one, 0, 8)).toBe(8);
  expect(read(fd, bytes, 0, 8)).toBe(8);
  expect(value[0]).toBe(3n);
  expect(read(fd, bytes, 0, 8)).toBe(-Errno.EAGAIN);
  close(fd);
});

test('read and write refuse what is outside the buffer', () => {
  const fd = eventfd(1, EFD_NONBLOCK);
  expect(read(fd, one, 1, 8)).toBe(-Errno.EFAULT);
  expect(write(fd, one, -1, 8)).toBe(-Errno.EFAULT);
  expect(() => eventfd(0, -1)).toThrow('EINVAL');
  close(fd);
});
