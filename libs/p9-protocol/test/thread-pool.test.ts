import { readdirSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { constants, socketpair } from '@vm-tools/linux';
import { describe, expect, test } from 'vitest';
import { Client } from '../src/client/client.ts';
import { ThreadPool } from '../src/host/serve-threaded.ts';
import type { Connection } from '../src/server/connection.ts';
import { ProtocolError } from '../src/server/session.ts';
import { encode } from '../src/wire/codec.ts';
import { NOFID, NOTAG, VERSION } from '../src/wire/messages.ts';
import { scratchDirectory } from './scratch-directory.ts';

const threads = () => readdirSync('/proc/self/task').length;

function connectTo(pool: ThreadPool): { socket: Socket; connection: Connection } {
  const [ours, theirs] = socketpair(constants.AF_UNIX, constants.SOCK_STREAM);
  return { socket: new Socket({ fd: ours }), connection: pool.serve(theirs) };
}

describe('a thread pool', () => {
  test('serves more clients than it has threads, each of them with the right bytes', async () => {
    const root = scratchDirectory();
    const data = Buffer.alloc(3 << 20, 'the quick brown fox ');
    writeFileSync(join(root, 'file'), data);
    const before = threads();
    const pool = new ThreadPool({ options: { root }, threads: 2 });
    const all = Array.from({ length: 24 }, () => connectTo(pool));
    await Promise.all(
      all.map(async ({ socket }, i) => {
        const client = await Client.connect({ stream: socket, msize: i % 2 === 0 ? 8192 : 1 << 20 });
        const tree = await client.attach();
        expect(Buffer.compare(await tree.readFile('file'), data)).toBe(0);
        await tree.writeFile(`copy-${i}`, data.subarray(0, 100_000 + i));
        const file = await tree.open(`copy-${i}`);
        await file.fsync();
        expect((await file.getattr()).size).toBe(100_000 + i);
        await file[Symbol.asyncDispose]();
      }),
    );
    // Node's own helpers of a worker come and go; four threads of ours are what may be there.
    expect(threads() - before).toBeLessThan(24);
    for (const { socket } of all) socket.destroy();
    const ends = await Promise.all(all.map(({ connection }) => connection.ended));
    expect(new Set(ends.map(({ reason }) => reason))).toEqual(new Set(['closed']));
  });

  test('answers in a shared thread whatever another client there does not take', async () => {
    const root = scratchDirectory();
    writeFileSync(join(root, 'file'), Buffer.alloc(1 << 20, 'x'));
    const pool = new ThreadPool({ options: { root }, threads: 1 });
    const first = connectTo(pool);
    const greedy = connectTo(pool);
    greedy.socket.pause();
    const tag = NOTAG;
    const text = (value: string) => new TextEncoder().encode(value);
    const requests = [
      encode({ message: 'Tversion', tag, msize: 1 << 20, version: text(VERSION) }),
      encode({
        message: 'Tattach',
        tag: 0,
        fid: 0,
        afid: NOFID,
        uname: text(''),
        aname: text(''),
        nUname: 0,
      }),
      encode({ message: 'Twalk', tag: 0, fid: 0, newfid: 1, wnames: [text('file')] }),
      encode({ message: 'Tlopen', tag: 0, fid: 1, flags: 0 }),
    ];
    // 200 MB of answers are asked for and never read.
    for (let i = 0; i < 200; i++) {
      requests.push(encode({ message: 'Tread', tag: i + 1, fid: 1, offset: 0n, count: 1 << 20 }));
    }
    greedy.socket.write(Buffer.concat(requests));
    const patient = connectTo(pool);
    const client = await Client.connect({ stream: patient.socket });
    const tree = await client.attach();
    for (let i = 0; i < 50; i++) expect((await tree.getattr('file')).size).toBe(1 << 20);
    patient.connection.shutdown();
    expect(await patient.connection.ended).toMatchObject({ reason: 'shutdown' });
    greedy.connection.destroy();
    expect(await greedy.connection.ended).toMatchObject({ reason: 'shutdown' });
    first.socket.destroy();
    await first.connection.ended;
    greedy.socket.destroy();
    patient.socket.destroy();
  });

  test('ends connections whose filesystem cannot be made, with the reason', async () => {
    const pool = new ThreadPool({ options: { root: '/nowhere/at/all' }, threads: 1 });
    const connections = [connectTo(pool), connectTo(pool), connectTo(pool)];
    for (const { connection, socket } of connections) {
      expect(await connection.ended).toMatchObject({
        reason: 'crashed',
        message: expect.stringContaining('/nowhere/at/all'),
        error: expect.objectContaining({ code: 'ENOENT', path: '/nowhere/at/all' }),
      });
      socket.destroy();
    }
  });

  test('tells of a violation as any way to serve does: by an error of its class and code', async () => {
    const pool = new ThreadPool({ options: { root: scratchDirectory() }, threads: 1 });
    // In a thread of its own, and in a shared one.
    for (const { connection, socket } of [connectTo(pool), connectTo(pool)]) {
      socket.write(new Uint8Array(100));
      const { reason, error } = await connection.ended;
      expect(reason).toBe('protocol');
      expect(error).toBeInstanceOf(ProtocolError);
      expect(error).toMatchObject({
        code: 'ERR_P9_PROTOCOL',
        message: expect.stringContaining('claims to be 0 bytes long'),
      });
      socket.destroy();
    }
  });
});
