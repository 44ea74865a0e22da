import { readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { LogRecord, TcpSyslogSink, type TcpSyslogSinkOptions } from '../src/index.ts';
import { Rsyslogd } from './rsyslogd.ts';
import { scratchFolder } from './scratch.ts';

const patience = { timeout: 120_000 };
const retry = { minMs: 10, maxMs: 100 };
const ca = readFileSync(new URL('./data/tls/authority.pem', import.meta.url));
const record = (message: string) =>
  LogRecord.from({ message, tag: 'prog', pid: 7, hostname: 'guest', severity: 3 });
const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `message ${from + index}.`);

async function writeAll(sink: TcpSyslogSink, messages: readonly string[]): Promise<void> {
  for (const message of messages) while (!sink.write(record(message))) await sink.ready();
}

/** A receiver whose end of each connection the test has. */
async function receiver() {
  const sockets: Socket[] = [];
  const texts: string[] = [];
  const server = createServer((socket) => {
    const index = sockets.push(socket) - 1;
    texts[index] = '';
    socket.on('data', (data) => {
      texts[index] += data.toString();
    });
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  /** Messages of all connections. */
  const messages = () => texts.map((text) => text.match(/message \d+\./g) ?? []);
  const { port } = server.address() as AddressInfo;
  return { port, sockets, texts, messages, [Symbol.asyncDispose]: close };
}

const sinkTo = (port: number, options: Partial<TcpSyslogSinkOptions> = {}) =>
  new TcpSyslogSink({ host: '127.0.0.1', port, retry, closeMs: 60_000, ...options });

describe.for(['tcp', 'tls'] as const)('rsyslogd by %s', (kind) => {
  test('receives every record, whatever is in it', async () => {
    using folder = scratchFolder();
    await using rsyslogd = await Rsyslogd.start(folder.path, kind);
    const sink = sinkTo(rsyslogd.port, kind === 'tls' ? { tls: { ca, servername: 'localhost' } } : {});
    await writeAll(sink, ['two\nlines', 'grüße', 'x'.repeat(60_000), ...numbered(0, 5000)]);
    await sink.close();
    await vi.waitUntil(() => new Set(rsyslogd.lines).size >= 5003, patience);
    // Should the receiver break the connection at the end in place of closing it, the last ones come twice.
    const lines = [...new Set(rsyslogd.lines)];
    expect(lines[0]).toBe('11 guest prog 7|two#012lines');
    expect(lines[1]).toBe('11 guest prog 7|grüße');
    expect(lines[2]?.length).toBe('11 guest prog 7|'.length + 60_000);
    expect(lines.slice(3).map((line) => line.split('|')[1])).toEqual(numbered(0, 5000));
    expect(sink.counters).toMatchObject({ taken: 5003, written: 5003, lost: 0 });
  });
});

test('rsyslogd is killed and comes back: nothing is lost, and what is repeated is counted', async () => {
  using folder = scratchFolder();
  const first = await Rsyslogd.start(folder.path, 'tcp');
  let port = first.port;
  // It comes back on another port: what is in between looks the same to the sink.
  const between = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.pipe(other);
      one.on('error', () => undefined).on('close', () => other.resetAndDestroy());
    }
  });
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
  const sink = sinkTo((between.address() as AddressInfo).port, { replayBytes: 1 << 20 });
  await writeAll(sink, numbered(0, 1500));
  await first.until(1000);
  await first.kill();
  rmSync(join(folder.path, 'port'));
  await writeAll(sink, numbered(1500, 2500));
  await using second = await Rsyslogd.start(folder.path, 'tcp');
  port = second.port;
  await writeAll(sink, numbered(2500, 3000));
  const texts = () => second.lines.map((line) => line.split('|')[1] ?? '');
  await vi.waitUntil(() => new Set(texts()).size >= 3000, patience);
  await sink.close();
  await new Promise((resolve) => between.close(resolve));
  // The first of each, in order: what was cut off in the middle when it was killed is not among them.
  const whole = new Set(numbered(0, 3000));
  expect([...new Set(texts())].filter((text) => whole.has(text))).toEqual(numbered(0, 3000));
  expect(sink.counters).toMatchObject({ taken: 3000, written: 3000, lost: 0 });
  expect(sink.counters.repeated).toBeGreaterThan(0);
}, 300_000);

describe('a connection', () => {
  test('that breaks is made anew, and what was sent last is sent again', async () => {
    await using server = await receiver();
    const sink = sinkTo(server.port);
    const events: string[] = [];
    sink.on('failing', () => events.push('failing')).on('recovered', () => events.push('recovered'));
    await writeAll(sink, numbered(0, 3));
    await vi.waitUntil(() => server.messages()[0]?.length === 3, patience);
    await vi.waitUntil(() => sink.counters.written === 3, patience);
    server.sockets[0]?.resetAndDestroy();
    await vi.waitUntil(() => server.messages()[1]?.length === 3, patience);
    expect(server.messages()[1]).toEqual(numbered(0, 3));
    expect(events).toEqual(['failing', 'recovered']);
    expect(sink.counters).toMatchObject({ written: 3, repeated: 3, connections: 2 });
    await sink.close();
  });

  test('that was broken before repeats no more than it is to', async () => {
    await using server = await receiver();
    const sink = sinkTo(server.port, { replayBytes: 500 });
    await writeAll(sink, numbered(0, 1000));
    await vi.waitUntil(() => server.messages()[0]?.length === 1000, patience);
    await vi.waitUntil(() => sink.counters.written === 1000, patience);
    server.sockets[0]?.resetAndDestroy();
    await vi.waitUntil(() => server.texts[1]?.includes('message 999.'), patience);
    const again = server.messages()[1] ?? [];
    expect(again).toEqual(numbered(1000 - again.length, 1000));
    expect(Buffer.byteLength(server.texts[1] ?? '')).toBeLessThanOrEqual(500);
    await sink.close();
  });

  test('that cannot be made fills the sink, and what it holds is told as lost at the end', async () => {
    await using server = await receiver();
    const { port } = server;
    await server[Symbol.asyncDispose]();
    const sink = sinkTo(port, { maxMemoryBytes: 2000, closeMs: 1 });
    const failed = new Promise((resolve) => sink.once('failing', resolve));
    let taken = 0;
    while (sink.write(record(`message ${taken}`))) taken++;
    expect(taken).toBeGreaterThan(5);
    expect(await failed).toMatchObject({ code: 'ECONNREFUSED' });
    // Nobody comes until the end.
    const lost = new Promise((resolve) => sink.once('lost', resolve));
    await sink.close();
    expect(await lost).toBe(taken);
    expect(sink.counters).toMatchObject({ taken, written: 0, lost: taken });
    expect(() => sink.write(record('late'))).toThrow('has been closed');
  });

  test('to someone who is not who they should be is none', async () => {
    using folder = scratchFolder();
    await using rsyslogd = await Rsyslogd.start(folder.path, 'tls');
    const sink = sinkTo(rsyslogd.port, { tls: { servername: 'localhost' }, closeMs: 1 });
    const failed = new Promise<Error>((resolve) => sink.once('failing', resolve));
    sink.write(record('secret'));
    expect((await failed).message).toMatch(/certificate|self.signed/);
    await sink.close();
    expect(sink.counters).toMatchObject({ written: 0, lost: 1 });
  });
});
