import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { DevLogServer, HostSyslogSink, LogRecord } from '../src/index.ts';
import { KeptRecords } from './kept-records.ts';
import { Rsyslogd } from './rsyslogd.ts';
import { scratchFolder } from './scratch.ts';

const patience = { timeout: 120_000 };
const retry = { minMs: 10, maxMs: 100 };
const record = (message: string) => LogRecord.from({ message, tag: 'prog', pid: 7, severity: 3 });
const numbered = (count: number) => Array.from({ length: count }, (_, index) => `message ${index}`);

async function writeAll(sink: HostSyslogSink, messages: readonly string[]): Promise<void> {
  for (const message of messages) while (!sink.write(record(message))) await sink.ready();
}

/** The syslog of a host, in this process. */
async function host(path: string) {
  const sink = new KeptRecords();
  const server = new DevLogServer({ sink, correctPids: false });
  await server.listen(path);
  return { sink, server, [Symbol.asyncDispose]: () => server.close() };
}

test('rsyslogd receives the records as those of a program of its own host', async () => {
  using folder = scratchFolder();
  await using rsyslogd = await Rsyslogd.start(folder.path, 'datagram');
  const sink = new HostSyslogSink({ path: join(folder.path, 'log') });
  await writeAll(sink, ['grüße', 'two\nlines', ...numbered(3000)]);
  await sink.close();
  const lines = await rsyslogd.until(3002);
  expect(lines.map((line) => line.split('|')[1]?.trim())).toEqual([
    'grüße',
    'two#012lines',
    ...numbered(3000),
  ]);
  expect(lines[0]).toMatch(/^11 \S+ prog 7\|/);
  expect(sink.counters).toMatchObject({ taken: 3002, written: 3002, lost: 0, cut: 0 });
});

describe('the syslog of a host', () => {
  test('that is slow makes the sink wait, not lose', async () => {
    using folder = scratchFolder();
    const path = join(folder.path, 'log');
    await using slow = await host(path);
    slow.sink.block();
    const sink = new HostSyslogSink({ path, maxMemoryBytes: 10_000 });
    let refused = 0;
    const writing = (async () => {
      for (const message of numbered(2000))
        while (!sink.write(record(message))) {
          refused++;
          await sink.ready();
        }
    })();
    await vi.waitUntil(() => refused > 0 && slow.server.counters.waits > 0, patience);
    slow.sink.open();
    await writing;
    await sink.close();
    await vi.waitUntil(() => slow.sink.records.length === 2000, patience);
    expect(slow.sink.messages).toEqual(numbered(2000));
  });

  test('that is not there yet is waited for, and one that is replaced connected to again', async () => {
    using folder = scratchFolder();
    const path = join(folder.path, 'log');
    const sink = new HostSyslogSink({ path, retry });
    const events: string[] = [];
    sink.on('failing', () => events.push('failing')).on('recovered', () => events.push('recovered'));
    sink.write(record('one'));
    await vi.waitUntil(() => events.length === 1, patience);
    {
      await using first = await host(path);
      await vi.waitUntil(() => first.sink.records.length === 1, patience);
    }
    sink.write(record('two'));
    await vi.waitUntil(() => events.length === 3, patience);
    await using second = await host(path);
    await vi.waitUntil(() => second.sink.records.length === 1, patience);
    expect(second.sink.messages).toEqual(['two']);
    await sink.close();
    expect(events).toEqual(['failing', 'recovered', 'failing', 'recovered']);
    expect(sink.counters).toMatchObject({ written: 2, lost: 0 });
  });

  test('whose socket was replaced while the old one is still open is another one only when that fails', async () => {
    using folder = scratchFolder();
    const path = join(folder.path, 'log');
    const first = await host(path);
    const sink = new HostSyslogSink({ path, retry });
    sink.write(record('one'));
    await sink.flush();
    rmSync(path);
    await using second = await host(path);
    await first.server.close();
    expect(first.sink.messages).toEqual(['one']);
    sink.write(record('two'));
    await sink.close();
    await vi.waitUntil(() => second.sink.records.length === 1, patience);
    expect(second.sink.messages).toEqual(['two']);
  });

  test('takes no message that its socket has no room for: it is cut, and says so', async () => {
    using folder = scratchFolder();
    const path = join(folder.path, 'log');
    const received = new KeptRecords();
    await using server = new DevLogServer({ sink: received, maxMessageBytes: 1 << 20 });
    await server.listen(path);
    const sink = new HostSyslogSink({ path, maxMemoryBytes: 4 << 20 });
    // A socket sends some 200 KiB at most.
    sink.write(record('ü'.repeat(1 << 20)));
    sink.write(record('next'));
    await sink.close();
    await vi.waitUntil(() => received.records.length === 2, patience);
    expect(received.messages[0]).toMatch(/^ü{1000,} \[\.\.\.\]$/);
    expect(received.messages[1]).toBe('next');
    expect(sink.counters).toMatchObject({ written: 2, cut: 1, lost: 0 });
  });

  test('that does not come until the end has lost the records', async () => {
    using folder = scratchFolder();
    const sink = new HostSyslogSink({ path: join(folder.path, 'log'), retry, closeMs: 1 });
    const lost = new Promise((resolve) => sink.once('lost', resolve));
    await writeAll(sink, numbered(5));
    await sink.close();
    expect(await lost).toBe(5);
    expect(sink.counters).toMatchObject({ taken: 5, written: 0, lost: 5 });
    expect(() => sink.write(record('late'))).toThrow('has been closed');
  });
});
