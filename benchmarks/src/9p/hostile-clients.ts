import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { encode, NOFID, NOTAG, VERSION } from '@vm-tools/p9-protocol';

/**
 * `hostile-clients.ts SOCKET COUNT`: keeps that many connections to a server, and none of them well; prints a line when all are there.
 * A quarter each
 * - say nothing,
 * - send one byte every 50 ms,
 * - send bytes at random, and come back when they are thrown out,
 * - ask for megabytes without end, and never take an answer.
 */

const [path, count] = process.argv.slice(2);
if (path === undefined || count === undefined) throw new Error('usage: hostile-clients.ts SOCKET COUNT');

const BACK_AFTER_MS = 100;
const BYTE_EVERY_MS = 50;
const GREEDY_REQUESTS = 256;
const encoder = new TextEncoder();

const version = encode({
  message: 'Tversion',
  tag: NOTAG,
  msize: 1_048_576,
  version: encoder.encode(VERSION),
});

const kinds: readonly ((socket: Socket) => void)[] = [
  () => {},
  (socket) => {
    let at = 0;
    const timer = setInterval(() => socket.write(version.subarray(at, ++at)), BYTE_EVERY_MS);
    socket.once('close', () => clearInterval(timer));
  },
  (socket) => socket.write(randomBytes(4096)),
  (socket) => {
    socket.write(version);
    socket.once('data', () => {
      socket.pause();
      for (const request of greed()) socket.write(request);
    });
  },
];

/** Opens the largest file, and reads it again and again. */
function greed(): Uint8Array[] {
  const who = { uname: encoder.encode('root'), aname: encoder.encode('/'), nUname: 0 };
  const wnames = [encoder.encode('data.bin')];
  return [
    encode({ message: 'Tattach', tag: 1, fid: 1, afid: NOFID, ...who }),
    encode({ message: 'Twalk', tag: 2, fid: 1, newfid: 2, wnames }),
    encode({ message: 'Tlopen', tag: 3, fid: 2, flags: 0 }),
    ...Array.from({ length: GREEDY_REQUESTS }, (_, i) =>
      encode({ message: 'Tread', tag: 4 + i, fid: 2, offset: 0n, count: 1_048_000 }),
    ),
  ];
}

let connected = 0;
let isComplete = false;

function misbehave(index: number): void {
  const socket = connect(path as string);
  socket.once('connect', () => {
    connected++;
    kinds[index % kinds.length]?.(socket);
    if (connected === Number(count) && !isComplete) {
      isComplete = true;
      console.log('connected');
    }
  });
  socket.on('error', () => {});
  socket.once('close', () => setTimeout(() => misbehave(index), BACK_AFTER_MS));
}

for (let index = 0; index < Number(count); index++) misbehave(index);
// Whoever started us is gone when this ends.
process.stdin.resume().once('end', () => process.exit(0));
