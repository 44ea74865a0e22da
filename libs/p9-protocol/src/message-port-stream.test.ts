import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DuplexLike } from './byte-stream.ts';
import { Client } from './client/client.ts';
import { describeFileSystem } from './conformance/index.ts';
import { MemoryFileSystem } from './memory/memory-file-system.ts';
import { messagePortStream } from './message-port-stream.ts';
import { serve } from './server/serve.ts';

const WINDOW = 256 * 1024;

describeFileSystem(
  'MemoryFileSystem over a message channel',
  async () => {
    const { port1, port2 } = new MessageChannel();
    const connection = serve(messagePortStream(port1), new MemoryFileSystem());
    const client = await Client.connect({ stream: messagePortStream(port2) });
    const end = async () => {
      client.close();
      await connection.ended;
    };
    return { client, root: await client.attach(), end };
  },
  { describe, test },
);

interface End {
  stream: DuplexLike;
  port: MessagePort;
  /** What came out of it: chunks and the names of events. */
  seen: (Uint8Array | string)[];
  closed: Promise<void>;
}

function pair(): [End, End] {
  const { port1, port2 } = new MessageChannel();
  const end = (port: MessagePort): End => {
    const stream = messagePortStream(port);
    const seen: End['seen'] = [];
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    stream.on('data', (chunk) => seen.push(chunk));
    for (const event of ['end', 'drain'] as const) stream.on(event, () => seen.push(event));
    stream.on('error', ({ message }) => seen.push(`error: ${message}`));
    stream.on('close', () => {
      seen.push('close');
      resolve();
    });
    return { stream, port, seen, closed };
  };
  return [end(port1), end(port2)];
}

const bytesOf = (seen: End['seen']) => Buffer.concat(seen.filter((item) => typeof item !== 'string'));
const eventsOf = (seen: End['seen']) => seen.filter((item) => typeof item === 'string');

/** Until messages that were posted have arrived. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe('messagePortStream', () => {
  test('what is written may be changed once it is sent', async () => {
    const [a, b] = pair();
    const bytes = Uint8Array.of(1, 2, 3);
    await new Promise<void>((sent) => {
      a.stream.write(bytes.subarray(1), sent);
    });
    bytes.fill(9);
    await settle();
    expect([...bytesOf(b.seen)]).toEqual([2, 3]);
    a.stream.destroy();
    await b.closed;
  });

  test('a part of a larger buffer travels alone', async () => {
    const [a, b] = pair();
    a.stream.write(Buffer.from('a pooled buffer of Node').subarray(2, 8));
    await settle();
    const [chunk] = b.seen as Uint8Array[];
    expect([String(Buffer.from(chunk!)), chunk!.buffer.byteLength]).toEqual(['pooled', 6]);
    a.stream.destroy();
    await b.closed;
  });

  test('writing is held up while the other end is paused, and goes on when it has taken what there was', async () => {
    const [a, b] = pair();
    b.stream.pause();
    const chunk = new Uint8Array(10_000);
    let written = 0;
    do written += chunk.length;
    while (a.stream.write(chunk));
    expect(written).toBeGreaterThanOrEqual(WINDOW);
    expect(written).toBeLessThan(WINDOW + chunk.length);
    await settle();
    expect([a.seen, b.seen]).toEqual([[], []]);
    expect(a.stream.write(chunk)).toBe(false);
    b.stream.resume();
    await settle();
    expect(a.seen).toEqual(['drain']);
    expect(bytesOf(b.seen).length).toBe(written + chunk.length);
    expect(a.stream.write(chunk)).toBe(true);
    a.stream.destroy();
    await b.closed;
  });

  test('each end may end in its own time; then both are closed', async () => {
    const [a, b] = pair();
    a.stream.write(Uint8Array.of(1));
    await new Promise<void>((sent) => {
      a.stream.end(sent);
    });
    await settle();
    expect(b.seen).toEqual([Uint8Array.of(1), 'end']);
    b.stream.write(Uint8Array.of(2));
    b.stream.end();
    await Promise.all([a.closed, b.closed]);
    expect(a.seen).toEqual([Uint8Array.of(2), 'end', 'close']);
    expect(b.seen).toEqual([Uint8Array.of(1), 'end', 'close']);
  });

  test('what was written before a destroy arrives', async () => {
    const [a, b] = pair();
    b.stream.pause();
    a.stream.write(Uint8Array.of(1));
    a.stream.end(() => a.stream.destroy());
    await a.closed;
    await settle();
    expect(b.seen).toEqual([]);
    b.stream.resume();
    await b.closed;
    expect(b.seen).toEqual([Uint8Array.of(1), 'end', 'close']);
  });

  test('who waits for an end that is destroyed waits no longer', async () => {
    const [a, b] = pair();
    b.stream.pause();
    expect(a.stream.write(new Uint8Array(WINDOW))).toBe(false);
    a.stream.pause();
    b.stream.destroy();
    await settle();
    expect(a.seen).toEqual(['drain']);
    expect(a.stream.write(new Uint8Array(WINDOW))).toBe(true);
    a.stream.resume();
    await a.closed;
    expect(a.stream.write(Uint8Array.of(1))).toBe(false);
  });

  test('a destroy with an error tells of it first', async () => {
    const [a, b] = pair();
    a.stream.destroy(new Error('no more'));
    await Promise.all([a.closed, b.closed]);
    expect([a.seen, b.seen]).toEqual([['error: no more', 'close'], ['close']]);
  });

  test('a port that carries something else is given up', async () => {
    const [a, b] = pair();
    b.port.postMessage({ hello: 'world' });
    await Promise.all([a.closed, b.closed]);
    expect(a.seen[0]).toContain('is the other end a messagePortStream?');
  });

  test('a thread that is gone closes the stream to it', async () => {
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker('require("node:worker_threads").parentPort.once("message", () => {})', {
      eval: true,
      stdout: true,
    });
    worker.postMessage(port2, [port2]);
    const stream = messagePortStream(port1);
    const closed = new Promise<void>((resolve) => stream.on('close', resolve));
    stream.on('data', () => {});
    await worker.terminate();
    await closed;
  });

  test('everything arrives, in order, however it is written and taken', async () => {
    const step = fc.oneof(
      fc.record({ write: fc.nat(100_000), from: fc.constantFrom(0, 1) }),
      fc.record({ pause: fc.constantFrom(0, 1) }),
      fc.record({ resume: fc.constantFrom(0, 1) }),
      fc.constant({ settle: true }),
    );
    const property = fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const ends = pair();
      const written: Uint8Array[][] = [[], []];
      const blocked = [false, false];
      for (const [at, one] of steps.entries()) {
        if ('write' in one) {
          const bytes = new Uint8Array(one.write).fill(at + 1);
          blocked[one.from] = !ends[one.from]!.stream.write(bytes);
          written[one.from]!.push(bytes);
        } else if ('pause' in one) ends[one.pause]!.stream.pause();
        else if ('resume' in one) ends[one.resume]!.stream.resume();
        else await settle();
      }
      for (const { stream } of ends) stream.resume();
      await settle();
      for (const [index, { seen }] of ends.entries()) {
        // Who was told to wait was told to go on.
        if (blocked[index]) expect(eventsOf(seen).at(-1)).toBe('drain');
        expect(bytesOf(seen).equals(Buffer.concat(written[1 - index]!))).toBe(true);
        ends[index]!.stream.end();
      }
      await Promise.all(ends.map(({ closed }) => closed));
    });
    await fc.assert(property, { numRuns: 100 });
  });
});
