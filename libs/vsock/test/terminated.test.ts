import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'vm-tools-vsock-'));
const vm = join(folder, 'vm.sock');
const device = createServer((socket) => {
  socket.on('error', () => undefined).once('data', () => socket.write('OK 1\n'));
});

beforeAll(() => new Promise<void>((resolve) => void device.listen(vm, resolve)));
afterAll(() => {
  device.close();
  rmSync(folder, { recursive: true });
});

/** Descriptors of sockets, which are all that the thread makes, by number. */
function sockets(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const what = readlinkSync(`/proc/self/fd/${fd}`);
      return what.startsWith('socket:') ? [`${fd} ${what}`] : [];
    } catch {
      return []; // the folder's own
    }
  });
}

/** Terminates a thread in the midst of its work. */
async function terminate(round: number): Promise<void> {
  const thread = new Worker(new URL('programs/terminated-thread.ts', import.meta.url), {
    workerData: { name: `vm-tools-terminated-${process.pid}-${round}`, vm },
  });
  await once(thread, 'message');
  await sleep(round * 2);
  await thread.terminate();
}

test('a thread that is terminated at any moment leaves no socket behind', { timeout: 300_000 }, async () => {
  await terminate(0); // what Node.js opens once
  const before = sockets();
  for (let round = 1; round <= 20; round++) await terminate(round);
  await vi
    .waitUntil(() => sockets().length <= before.length, { timeout: 100_000, interval: 5 })
    .catch(() => {
      expect(sockets()).toEqual(before);
    });
});
