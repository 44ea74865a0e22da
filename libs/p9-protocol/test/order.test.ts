import { execFileSync } from 'node:child_process';
import { closeSync, open as openFile } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { constants, socketpair } from '@vm-tools/linux';
import { afterEach, describe, expect, test } from 'vitest';
import { Client } from '../src/client/client.ts';
import { text, utf8 } from '../src/conformance/check.ts';
import { ThreadPool } from '../src/host/serve-threaded.ts';
import { scratchDirectory } from './scratch-directory.ts';
import { type ServedClient, serveHostToClient, type Transport } from './served.ts';

/* What waits holds up nothing else on its connection, for however long it waits: told by the order of answers, not by a clock. */

/** Threads of libuv's pool, in which Node.js waits for disks. */
const POOL = 4;

const open: ServedClient[] = [];
afterEach(async () => {
  for (const served of open.splice(0)) await served.end();
});

/** Keeps every thread of libuv's pool waiting for someone to write to a FIFO, until the result is called. */
function blockPool(): () => Promise<void> {
  expect(process.env['UV_THREADPOOL_SIZE'], 'the pool must have its usual size').toBeUndefined();
  const directory = scratchDirectory();
  const fifos = Array.from({ length: POOL }, (_, index) => join(directory, `fifo-${index}`));
  execFileSync('mkfifo', fifos);
  const opened = fifos.map(
    (fifo) =>
      new Promise<number>((resolve, reject) =>
        openFile(fifo, 'r', (error, fd) => (error ? reject(error) : resolve(fd))),
      ),
  );
  return async () => {
    // By another process: here it would take a thread of the pool.
    execFileSync('sh', ['-c', 'for fifo; do : > "$fifo"; done', 'sh', ...fifos]);
    for (const fd of await Promise.all(opened)) closeSync(fd);
  };
}

describe.each<Transport>(['stream', 'polled', 'descriptor', 'thread'])(
  'an fsync that waits for the disk, over %s',
  (transport) => {
    test('holds up no request behind it, and its Rflush comes when it is over', async () => {
      const served = await serveHostToClient(transport, { root: scratchDirectory() });
      open.push(served);
      const file = await served.root.create('file');
      await file.write(utf8('content'), 0);
      await file.fsync();
      const release = blockPool();
      const events: string[] = [];
      const cancel = new AbortController();
      const synced = [
        file.fsync().then(() => events.push('synced')),
        // What was done before the Rflush counts, for the client as for the server.
        file.fsync({ signal: cancel.signal }).then(() => events.push('flushed')),
      ];
      for (let count = 0; count < 100; count++) {
        expect((await file.getattr()).size).toBe(7);
        if (count === 50) cancel.abort();
      }
      await served.root.mkdir('made');
      expect(text(await file.read(0, 7))).toBe('content');
      events.push('answered');
      await release();
      await Promise.all(synced);
      expect(events[0]).toBe('answered');
      expect(events.slice(1).sort()).toStrictEqual(['flushed', 'synced']);
    });
  },
);

test('a filesystem of promises in a thread of its own, or a shared one, holds up nothing while one is pending', async () => {
  const module = new URL('./fixtures/waiting-file-system.ts', import.meta.url);
  const pool = new ThreadPool({ module, options: undefined, threads: 1 });
  const ends: (() => Promise<void>)[] = [];
  for (let connection = 0; connection < 2; connection++) {
    const [ours, theirs] = socketpair(constants.AF_UNIX, constants.SOCK_STREAM);
    const socket = new Socket({ fd: ours });
    const { ended } = pool.serve(theirs);
    const client = await Client.connect({ stream: socket });
    const root = await client.attach();
    const file = await root.create('slow');
    const events: string[] = [];
    const read = file.read(0, 10).then(() => events.push('read'));
    const cancel = new AbortController();
    const reason = new Error('not wanted any more');
    const cancelled = file
      .read(0, 10, { signal: cancel.signal })
      .catch((error: unknown) => events.push(String(error)));
    for (let count = 0; count < 100; count++) await root.getattr('slow');
    events.push('answered');
    cancel.abort(reason);
    await cancelled;
    await root.create('go');
    await read;
    expect(events).toStrictEqual(['answered', String(reason), 'read']);
    ends.push(async () => {
      socket.destroy();
      await ended;
    });
  }
  for (const end of ends) await end();
});
