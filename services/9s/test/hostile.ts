import { once } from 'node:events';
import type { Socket } from 'node:net';
import { expect } from 'vitest';
import { frame, getattr, hello, messagesUntilEnd, receive, Type } from './wire.ts';

/** Asks for large answers over and over, and takes none. */
const greed = () => {
  const open = [
    frame(Type.Twalk, 1, [[4, 0], [4, 1], [2, 1], 'large']),
    frame(12, 2, [
      [4, 1],
      [4, 0],
    ]),
  ];
  const read = (tag: number) =>
    frame(116, tag, [
      [4, 1],
      [8, 0],
      [4, 1 << 20],
    ]);
  return Buffer.concat([...open, ...Array.from({ length: 200 }, (_, index) => read(index + 3))]);
};

/** What connects and means no good: each is let loose on a connected socket, and stays as long as it can. */
export const staying: Record<string, (socket: Socket) => Promise<void>> = {
  'silent, as one whose other end is gone': async () => {},
  'silent after it has attached': async (socket) => {
    socket.write(hello);
    await receive(socket, 2);
  },
  'half a frame of the largest size': async (socket) => {
    socket.write(hello);
    await receive(socket, 2);
    const large = Buffer.alloc((1 << 20) - 100);
    large.writeUInt32LE(1 << 20);
    socket.write(large);
  },
  'greedy: it takes none of 200 MB of answers': async (socket) => {
    socket.write(hello);
    await receive(socket, 2);
    socket.write(greed());
  },
  'slow: a request in single bytes': async (socket) => {
    socket.write(hello);
    await receive(socket, 2);
    const bytes = getattr(1);
    for (let at = 0; at < bytes.length - 1; at++) {
      socket.write(bytes.subarray(at, at + 1));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  },
};
/** What is cut off, or gives up: each ends with its connection. */
export const passing: Record<string, (socket: Socket) => Promise<void>> = {
  'another protocol': async (socket) => {
    socket.end('GET / HTTP/1.1\r\n\r\n');
    expect(await messagesUntilEnd(socket)).toEqual([]);
  },
  'half of a request, and then half-closed': async (socket) => {
    socket.write(Buffer.concat([hello, getattr(1).subarray(0, 9)]));
    await receive(socket, 2);
    socket.end();
    socket.resume();
    await once(socket, 'close');
  },
  'random bytes': async (socket) => {
    socket.resume();
    socket.end(Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 7919 + 131) & 0xff)));
    await once(socket, 'close');
  },
};
