import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { isMet } from '../src/9p/stress.ts';
import { measureWaiting } from '../src/9p/waiting.ts';

const folder = mkdtempSync(join(tmpdir(), 'vm-tools-stress-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('requests are answered while another one of the connection waits', async () => {
  mkdirSync(join(folder, 'a/b'), { recursive: true });
  writeFileSync(join(folder, 'a/b/file.txt'), 'content');
  const figures = await measureWaiting({
    root: folder,
    cpu: 0,
    installed: 'nothing',
    rounds: 1,
    seconds: 1,
    warmup: 0,
    signal: new AbortController().signal,
  });
  expect(figures.map(({ name, unit, target }) => ({ name, unit, target }))).toEqual([
    { name: 'p99 of getattr while a request of the connection waits 1 s', unit: 'ms', target: 5 },
    { name: 'the same while none waits', unit: 'ms', target: undefined },
  ]);
  for (const { value } of figures) expect(value).toBeGreaterThan(0);
});

test('a figure is met when it is not above its target', () => {
  const one = { name: 'RSS', unit: 'MB' };
  expect(isMet({ ...one, value: 90, target: 90 })).toBe(true);
  expect(isMet({ ...one, value: 90.1, target: 90 })).toBe(false);
  expect(isMet({ ...one, value: 90 })).toBeUndefined();
});

test('hostile clients are of all four kinds, and come back when they are thrown out', async () => {
  const path = join(folder, 'server.sock');
  const received = new Map<Socket, number>();
  const server = createServer((socket) => {
    received.set(socket, 0);
    socket.on('data', (chunk) => received.set(socket, (received.get(socket) ?? 0) + chunk.length));
    socket.on('error', () => {});
  }).listen(path);
  await once(server, 'listening');
  const child = spawn(
    process.execPath,
    ['--conditions=@vm-tools/source', join(import.meta.dirname, '../src/9p/hostile-clients.ts'), path, '8'],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  try {
    await once(child.stdout, 'data');
    const heard = () => [...received.values()].sort((a, b) => a - b);
    // Two say nothing; two have sent a Tversion byte by byte, and two at once, waiting for its answer; two have sent nonsense.
    await vi.waitUntil(() => heard().join() === '0,0,21,21,21,21,4096,4096', { timeout: 60_000 });
    [...received].find(([, bytes]) => bytes === 4096)?.[0].destroy();
    await vi.waitUntil(() => heard().join() === '0,0,21,21,21,21,4096,4096,4096', { timeout: 60_000 });
  } finally {
    const ended = once(child, 'exit');
    child.kill();
    await ended;
    for (const socket of received.keys()) socket.destroy();
    server.close();
  }
}, 120_000);
