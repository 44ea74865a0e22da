import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { Client } from '@vm-tools/p9-protocol';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Bench, type NineS } from './nine-s.ts';
import { frame, getattr, hello, messagesUntilEnd, receive, Type } from './wire.ts';

let bench: Bench;
let children: ChildProcess[];

beforeEach(() => {
  bench = new Bench();
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await bench.clear();
});

/** A socket whose client has attached. */
async function attach(): Promise<Socket> {
  const socket = await bench.connect();
  socket.write(hello);
  await receive(socket, 2);
  return socket;
}

const sent = (socket: Socket, bytes: Buffer) =>
  new Promise<void>((resolve) => socket.write(bytes, () => resolve()));

/** A process that has attached so often, opened nothing, closed nothing, and waits to be killed. */
async function startClients(count: number): Promise<ChildProcess> {
  const script = `
    const [path, bytes, count] = process.argv.slice(1);
    let up = 0;
    for (let i = 0; i < count; i++) {
      const socket = require('node:net').connect(path, () => socket.write(Buffer.from(bytes, 'hex')));
      socket.once('data', () => ++up == count && process.stdout.write('up'));
    }`;
  const walk = frame(Type.Twalk, 1, [[4, 0], [4, 1], [2, 1], 'hello']);
  const bytes = Buffer.concat([hello, walk]).toString('hex');
  const child = spawn(process.execPath, ['-e', script, bench.socket, bytes, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout, 'data');
  return child;
}

/** Resolves when no more descriptors and threads are held than that: they take a moment to be gone after a connection was said to be closed. */
async function usageNoMoreThan(nineS: NineS, limit: ReturnType<NineS['usage']>): Promise<void> {
  await vi.waitFor(
    () => {
      const { descriptors, threads } = nineS.usage();
      expect(descriptors).toBeLessThanOrEqual(limit.descriptors);
      expect(threads).toBeLessThanOrEqual(limit.threads);
    },
    { interval: 200, timeout: 90_000 },
  );
}

describe('SIGTERM', () => {
  it('lets clients have the replies to all they have asked, then ends', async () => {
    const nineS = await bench.serve();
    const tags = Array.from({ length: 500 }, (_, index) => index + 1);
    const sockets = [await attach(), await attach()];
    for (const socket of sockets) await sent(socket, Buffer.concat(tags.map(getattr)));
    const replies = sockets.map(messagesUntilEnd);
    const ended = nineS.terminate();
    for (const messages of await Promise.all(replies)) {
      expect(messages).toEqual(tags.map((tag) => ({ type: Type.Rgetattr, tag })));
    }
    const { code, stderr } = await ended;
    expect(code).toBe(0);
    expect(stderr).toContain('connection closed connection=1 ');
    expect(stderr).toContain('reason=shutdown');
    expect(stderr).toMatch(/9s info: served connections=2 refused=0\n$/);
    expect(readdirSync(bench.folder)).toEqual(['root']);
  });

  it('does not wait for ever for a client that takes no replies', async () => {
    const nineS = await bench.serve();
    const socket = await attach();
    let isStuck = false;
    for (let tag = 1; !isStuck; tag = (tag % 60_000) + 1) {
      socket.write(getattr(tag));
      isStuck = socket.writableLength > 1 << 20;
      if (tag % 100 === 0) await new Promise(setImmediate);
    }
    expect(await nineS.terminate()).toMatchObject({ code: 0 });
    expect(readdirSync(bench.folder)).toEqual(['root']);
  });

  it('ends a 9s without clients at once, and so does SIGINT', async () => {
    const nineS = await bench.serve();
    nineS.child.kill('SIGINT');
    expect(await nineS.ended).toMatchObject({ code: 0, signal: null });
  });
});

describe('more clients than there are descriptors for', () => {
  it('have to wait or are lost, and 9s lives on', async () => {
    const nineS = bench.start(['--root', bench.root, bench.listen], { before: 'ulimit -n 48' });
    await nineS.logged('listening');
    const sockets = await Promise.all(Array.from({ length: 40 }, () => bench.connect()));
    for (const socket of sockets) socket.on('error', () => undefined);
    await nineS.logged('9s warn: clients have to wait: no further connection can be accepted code=EMFILE');
    for (const socket of sockets) socket.destroy();
    await nineS.logged('connection closed', sockets.length);
    // A thread gives its descriptors back a moment after its connection was said to be closed.
    await vi.waitUntil(() => attach().catch(() => undefined), { timeout: 90_000 });
    expect(await nineS.terminate()).toMatchObject({ code: 0 });
  });
});

describe('clients that vanish', () => {
  it('leave no descriptor and no thread behind', async () => {
    const nineS = await bench.serve();
    // What is in use while one client is there is the most that may be left: less than one of the other fifty would leave each.
    const one = await startClients(1);
    const limit = nineS.usage();
    one.kill('SIGKILL');
    for (let round = 1; round <= 5; round++) {
      (await startClients(10)).kill('SIGKILL');
      await nineS.logged('connection closed', 1 + 10 * round);
    }
    await usageNoMoreThan(nineS, limit);
    expect(nineS.stderr).not.toMatch(/ (warn|error): /);
  });

  it('leave the others alone', async () => {
    await bench.serve();
    await using client = await Client.connect({ stream: await bench.connect() });
    const root = await client.attach();
    (await startClients(3)).kill('SIGKILL');
    expect(new TextDecoder().decode(await root.readFile('hello'))).toBe('hello, guest\n');
  });
});

describe('a client', () => {
  it('is logged with process and user, when it comes and when it goes, and why', async () => {
    const nineS = await bench.serve(['--log-format', 'json']);
    const socket = await attach();
    socket.destroy();
    await nineS.logged('connection closed');
    const lines = nineS.stderr.trim().split('\n');
    const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const peer = { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() };
    expect(entries).toMatchObject([
      { message: expect.stringContaining('sandbox: ') },
      { level: 'info', message: 'listening', program: '9s', address: bench.listen, root: bench.root },
      { level: 'info', message: 'connection opened', connection: 1, peer, connected: 1 },
      { level: 'info', message: 'connection closed', peer, reason: 'closed', connected: 0 },
    ]);
  });

  it('that does not speak 9P is told off in the log, and closed', async () => {
    const nineS = await bench.serve();
    const socket = await bench.connect();
    socket.write('GET / HTTP/1.1\r\n\r\n');
    expect(await messagesUntilEnd(socket)).toEqual([]);
    await nineS.logged('9s warn: connection closed');
    expect(nineS.stderr).toContain('reason=protocol');
  });

  it('more than allowed is turned away at once, until another one leaves', async () => {
    const nineS = await bench.serve(['--max-connections', '2']);
    const first = await attach();
    await attach();
    const third = await bench.connect();
    third.on('error', () => undefined);
    await once(third, 'close');
    await nineS.logged('9s warn: connection refused');
    expect(nineS.stderr).toMatch(
      /refused: there are as many as --max-connections allows connection=3 .* max=2\n/,
    );
    first.destroy();
    await nineS.logged('connection closed');
    await attach();
    expect((await nineS.terminate()).stderr).toContain('served connections=3 refused=1');
  });
});
