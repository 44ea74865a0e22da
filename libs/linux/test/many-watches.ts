// Opens and closes watches in every way there is: at once, after events, within the callback, by the end of a worker
// and by its termination in mid-event. Prints how many descriptors that left open.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { close, constants, send, socketpair, type Watch, watch } from '@vm-tools/linux';

const { AF_UNIX, SOCK_STREAM } = constants;
const rounds = 12;
const descriptors = () => readdirSync('/proc/self/fd').length;

if (isMainThread) await main();
else await worker(workerData as { mode: string; fd: number });

async function main(): Promise<void> {
  await openAndClose();
  await workers(1); // threads and libuv open some of their own, once
  const before = descriptors();
  await openAndClose();
  await workers(rounds);
  process.stdout.write(`${JSON.stringify({ left: descriptors() - before })}\n`);
}

async function openAndClose(): Promise<void> {
  for (let round = 0; round < 100; round++) {
    const [a, b] = socketpair(AF_UNIX, SOCK_STREAM);
    watch(a, { readable: true }, () => undefined).close();
    send(b, Buffer.from('x'), 0, 1, 0);
    const seen = Promise.withResolvers<void>();
    const inside: Watch = watch(a, { readable: true }, () => {
      inside.close();
      seen.resolve();
    });
    const outside = watch(a, { writable: true }, () => outside.update({}));
    await seen.promise;
    outside.close();
    close(a);
    close(b);
    await turn();
  }
}

async function workers(count: number): Promise<void> {
  for (let round = 0; round < count; round++) {
    const ends = ['terminated', 'ending', 'exiting', 'throwing'].map(async (mode) => {
      const [a, b] = socketpair(AF_UNIX, SOCK_STREAM);
      send(b, Buffer.from('x'), 0, 1, 0);
      const started = new Worker(new URL(import.meta.url), { workerData: { mode, fd: a } });
      const exited = new Promise((resolve) => started.once('exit', resolve));
      const failed = new Promise((resolve) => started.once('error', resolve));
      if (mode === 'terminated') started.once('message', () => void started.terminate());
      await exited;
      if (mode === 'throwing') assert.match(String(await failed), /out of the callback/);
      close(a);
      close(b);
    });
    await Promise.all(ends);
  }
}

async function worker({ mode, fd }: { mode: string; fd: number }): Promise<void> {
  let calls = 0;
  const idle = watch(fd, { writable: false }, () => undefined);
  // What is there to read is never read: the callback runs in every turn of the loop.
  const busy = watch(fd, { readable: true, writable: true }, () => {
    if (calls++ === 0) parentPort?.postMessage('watching');
    if (calls < 5) return;
    if (mode === 'exiting') process.exit();
    if (mode === 'throwing') throw new Error('out of the callback');
    if (mode === 'ending') for (const each of [idle, busy]) each.unref();
  });
}
