import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect } from 'vitest';
import { test } from '../test/scratch-directory.ts';
import { constants } from './constants.ts';
import { close, pipe } from './descriptor.ts';
import { Errno } from './errno.ts';
import { write } from './file.ts';
import {
  bind,
  MESSAGE_WORDS,
  Message,
  recvmmsg,
  send,
  sendmsg,
  setsockopt,
  socket,
  socketpair,
} from './socket.ts';

const { AF_UNIX, MSG_CTRUNC, MSG_DONTWAIT, MSG_TRUNC, MSG_WAITFORONE, SOCK_DGRAM, SO_PASSCRED, SOL_SOCKET } =
  constants;

describe('recvmmsg', () => {
  let from = -1;
  let to = -1;
  beforeEach(() => {
    [from, to] = socketpair(AF_UNIX, SOCK_DGRAM);
  });
  afterEach(() => {
    for (const fd of [from, to]) close(fd);
  });
  const say = (text: string) => expect(send(from, Buffer.from(text), 0, text.length, 0)).toBe(text.length);
  const info = new Int32Array(4 * MESSAGE_WORDS);
  const known = (index: number) => [...info.subarray(index * MESSAGE_WORDS, (index + 1) * MESSAGE_WORDS)];

  test('puts each message into a slot of its own', () => {
    const buffer = Buffer.alloc(16, '.');
    for (const text of ['one', '', 'three', 'four']) say(text);
    expect(recvmmsg(to, buffer, 5, 3, MSG_WAITFORONE, info)).toBe(3);
    expect(buffer.toString()).toBe('one.......three.');
    expect([0, 1, 2].map(known)).toEqual([3, 0, 5].map((length) => [length, 0, -1, -1, -1]));
    expect(recvmmsg(to, buffer, 4, 4, MSG_DONTWAIT, info)).toBe(1);
    expect(recvmmsg(to, buffer, 4, 4, MSG_DONTWAIT, info)).toBe(-Errno.EAGAIN);
  });

  test('tells what did not fit, and how long it was', () => {
    const buffer = Buffer.alloc(12, '.');
    say('too long for it');
    say('fits');
    expect(recvmmsg(to, buffer, 6, 2, MSG_TRUNC, info)).toBe(2);
    expect(buffer.toString()).toBe('too lofits..');
    expect(known(0)).toEqual([15, MSG_TRUNC, -1, -1, -1]);
    expect(info[MESSAGE_WORDS + Message.length]).toBe(4);
  });

  test('tells who sent each, and closes descriptors that come with it', () => {
    const buffer = Buffer.alloc(8);
    for (const asked of [0, 1]) {
      setsockopt(to, SOL_SOCKET, SO_PASSCRED, asked);
      const [readable, writable] = pipe();
      expect(sendmsg(from, Buffer.from('x'), 0, 1, 0, Int32Array.of(readable, readable), 2)).toBe(1);
      close(readable);
      expect(recvmmsg(to, buffer, 4, 2, MSG_DONTWAIT, info)).toBe(1);
      // Nobody can read from it any more.
      expect(write(writable, buffer, 0, 1)).toBe(-Errno.EPIPE);
      close(writable);
    }
    expect(known(0)).toEqual([1, MSG_CTRUNC, process.pid, process.getuid?.(), process.getgid?.()]);
  });

  test('tells other processes apart', ({ directory }) => {
    const path = join(directory.path, 'socket');
    const server = socket(AF_UNIX, SOCK_DGRAM);
    bind(server, { family: 'unix', path });
    setsockopt(server, SOL_SOCKET, SO_PASSCRED, 1);
    const program =
      'import os,socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\ns.sendto(b"hi",sys.argv[1])\nprint(os.getpid())';
    const { stdout } = spawnSync('python3', ['-c', program, path], { encoding: 'utf8' });
    expect(recvmmsg(server, Buffer.alloc(4), 4, 1, MSG_DONTWAIT, info)).toBe(1);
    expect(info[Message.pid]).toBe(Number(stdout));
    close(server);
  });

  test('refuses what has no room', () => {
    const buffer = Buffer.alloc(16);
    const call = (slot: number, count: number, out = info) =>
      recvmmsg(to, buffer, slot, count, MSG_DONTWAIT, out);
    expect(call(4, 4)).toBe(-Errno.EAGAIN);
    expect(call(4, 5)).toBe(-Errno.EFAULT);
    expect(call(17, 1)).toBe(-Errno.EFAULT);
    expect(call(0xffffffff, 1)).toBe(-Errno.EFAULT);
    expect(call(0, 1)).toBe(-Errno.EFAULT);
    expect(call(4, 2, info.subarray(0, 9))).toBe(-Errno.EFAULT);
    expect(call(4, 0)).toBe(-Errno.EINVAL);
    expect(recvmmsg(to, Buffer.alloc(300), 1, 257, MSG_DONTWAIT, new Int32Array(2000))).toBe(-Errno.EINVAL);
    expect(recvmmsg(-1, buffer, 4, 4, MSG_DONTWAIT, info)).toBe(-Errno.EBADF);
  });
});
