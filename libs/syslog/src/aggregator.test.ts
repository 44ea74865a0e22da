import { cpSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, expect, test, vi } from 'vitest';
import { Aggregator, type AggregatorOptions } from './aggregator.ts';
import { type Batch, BatchRefusedError } from './batch.ts';
import { LogRecord } from './record.ts';
import type { RecordFormat } from './sink.ts';
import { Spill } from './spill.ts';

const PATIENT = { timeout: 90_000, interval: 5 };

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-aggregator-'));
  return () => rmSync(folder, { recursive: true });
});

/** A line for each record. */
const lines: RecordFormat = {
  overhead: 1,
  write(record, out, at) {
    out.set(record.messageBytes, at);
    const end = at + record.messageBytes.length;
    out[end] = 0x0a;
    return end + 1;
  },
};

function record(sender: number, text: string): LogRecord {
  const made = LogRecord.from({ message: text });
  made.senderPid = sender;
  return made;
}

/** A host that knows batches again, and fails as it is told. */
class Host {
  readonly lines: string[] = [];
  readonly batches: Batch[] = [];
  repeats = 0;
  isAway = false;
  /** For each batch what happens to it; then all is well. */
  readonly fate: ('taken' | 'refused connection' | 'died after it was taken')[] = [];
  readonly #last = new Map<string, bigint>();

  readonly send = async (batch: Batch): Promise<void> => {
    await Promise.resolve();
    const fate = this.isAway ? 'refused connection' : (this.fate.shift() ?? 'taken');
    if (fate === 'refused connection') throw new Error('nobody listens');
    const last = this.#last.get(batch.stream) ?? 0n;
    if (batch.number <= last) this.repeats++;
    else {
      this.#last.set(batch.stream, batch.number);
      this.batches.push({ ...batch, bytes: Buffer.from(batch.bytes) });
      this.lines.push(...Buffer.from(batch.bytes).toString().trimEnd().split('\n'));
    }
    if (fate === 'died after it was taken') throw new Error('connection lost');
  };

  /** The lines of one sender. */
  of(sender: number): string[] {
    return this.lines.filter((line) => line.startsWith(`${sender}:`));
  }
}

function aggregator(host: Host, options: Partial<AggregatorOptions> = {}): Aggregator {
  return new Aggregator({ format: lines, send: host.send, retry: { minMs: 1, maxMs: 1 }, ...options });
}

test('records wait for others until there are enough bytes of them', async () => {
  const host = new Host();
  await using sink = aggregator(host, { flushMs: 1_000_000, flushBytes: 1000 });
  expect(sink.write(record(1, '1:a'))).toBe(true);
  await sink.ready();
  expect(host.batches).toEqual([]);
  sink.write(record(2, `2:${'x'.repeat(1000)}`));
  await vi.waitUntil(() => host.lines.length === 2, PATIENT);
  expect(host.batches).toHaveLength(1);
  expect(host.batches[0]).toMatchObject({ number: 1n, records: 2, senders: [1, 2] });
  await vi.waitUntil(() => sink.counters.written === 2, PATIENT);
  expect(sink.counters).toMatchObject({ taken: 2, written: 2, lost: 0, batches: 1, failures: 0 });
});

test('they wait no longer than they may', async () => {
  const host = new Host();
  await using sink = aggregator(host, { flushMs: 5 });
  sink.write(record(1, '1:a'));
  await vi.waitUntil(() => host.lines.length === 1, PATIENT);
  sink.write(record(1, '1:b'));
  await vi.waitUntil(() => host.lines.length === 2, PATIENT);
  expect(host.batches.map(({ number }) => number)).toEqual([1n, 2n]);
});

test('a record is copied: its bytes are the caller’s again', async () => {
  const host = new Host();
  await using sink = aggregator(host);
  const reused = record(1, '1:first');
  sink.write(reused);
  reused.bytes.fill(0x21);
  await sink.flush();
  expect(host.lines).toEqual(['1:first']);
});

test('senders take turns: who sends little is in the next batch', async () => {
  const host = new Host();
  host.isAway = true;
  const failed = vi.fn();
  await using sink = aggregator(host, { maxBatchBytes: 8192, flushBytes: 1 });
  sink.on('failing', failed);
  for (let each = 0; each < 2000; each++) sink.write(record(1, `1:${String(each).padStart(100)}`));
  await vi.waitUntil(() => failed.mock.calls.length === 1, PATIENT);
  sink.write(record(2, '2:quiet'));
  host.isAway = false;
  await sink.flush();
  expect(host.batches.findIndex(({ senders }) => senders.includes(2))).toBe(1);
  expect(host.batches.length).toBeGreaterThan(20);
  expect(host.of(1)).toHaveLength(2000);
  expect(host.of(1)).toEqual([...host.of(1)].sort());
});

test('what has no room is not taken, and that is told; later it is taken again', async () => {
  const host = new Host();
  host.isAway = true;
  await using sink = aggregator(host, { maxMemoryBytes: 10_000, maxBatchBytes: 1000 });
  const told: string[] = [];
  for (const name of ['full', 'room', 'failing', 'recovered'] as const) sink.on(name, () => told.push(name));
  let taken = 0;
  while (sink.write(record(1, `1:${String(taken).padStart(100)}`))) taken++;
  expect(told[0]).toBe('full');
  expect(sink.counters).toMatchObject({ taken, lost: 0 });
  await vi.waitUntil(() => told.includes('failing'), PATIENT);
  const ready = sink.ready();
  host.isAway = false;
  await ready;
  expect(sink.write(record(1, `1:${String(taken).padStart(100)}`))).toBe(true);
  await sink.flush();
  expect(host.of(1).map((line) => Number(line.slice(2)))).toEqual(
    Array.from({ length: taken + 1 }, (_, each) => each),
  );
  expect(told).toEqual(['full', 'failing', 'recovered', 'room']);
});

test('what memory has no room for waits on the disk, of whoever sends most', async () => {
  const host = new Host();
  host.isAway = true;
  const spill = new Spill(folder);
  await using sink = aggregator(host, { maxMemoryBytes: 20_000, maxBatchBytes: 4096, spill });
  sink.write(record(2, '2:quiet'));
  for (let each = 0; each < 3000; each++) {
    expect(sink.write(record(1, `1:${String(each).padStart(100)}`))).toBe(true);
  }
  expect([...spill.senders().keys()]).toEqual([1]);
  expect(sink.counters.spilled).toBeGreaterThan(2500);
  host.isAway = false;
  await sink.flush();
  expect(host.of(1)).toHaveLength(3000);
  expect(host.of(1)).toEqual([...host.of(1)].sort());
  expect(host.of(2)).toEqual(['2:quiet']);
  expect(sink.counters).toMatchObject({ taken: 3001, written: 3001, lost: 0 });
  expect(spill.bytes).toBe(0);
});

test('a sender has so many records an interval, and one line says how many more it sent', async () => {
  const host = new Host();
  const sink = aggregator(host, { rateLimit: { messages: 3, intervalMs: 3_600_000 }, tag: 'us' });
  const lost = vi.fn();
  sink.on('lost', lost);
  for (let each = 0; each < 10; each++) sink.write(record(1, `1:${each}`));
  sink.write(record(2, '2:a'));
  await sink.close();
  expect(host.of(1)).toEqual(['1:0', '1:1', '1:2']);
  expect(host.of(2)).toEqual(['2:a']);
  expect(host.lines).toContain('7 messages of process 1 were suppressed: 3 in 3600 s are allowed');
  expect(lost.mock.calls).toEqual([[7, 'process 1 had more than 3 in 3600 s are allowed']]);
  expect(sink.counters).toMatchObject({ taken: 12, written: 5, lost: 7, suppressed: 7 });
});

test('a batch that the receiver will never take is counted and told, and holds up no other', async () => {
  const host = new Host();
  const send = async (batch: Batch) => {
    if (Buffer.from(batch.bytes).includes('poison')) throw new BatchRefusedError('too long');
    await host.send(batch);
  };
  await using sink = aggregator(host, { send });
  sink.write(record(1, '1:poison'));
  await sink.flush();
  sink.write(record(1, '1:b'));
  await sink.flush();
  expect(host.lines.sort()).toEqual(['1 messages were refused by the receiver: too long', '1:b']);
  expect(sink.counters).toMatchObject({ taken: 3, written: 2, lost: 1 });
});

test('what is left at the end is kept for the next process, the batch under way first and under its number', async () => {
  const host = new Host();
  host.fate.push('died after it was taken');
  const first = aggregator(host, {
    spill: new Spill(folder),
    closeMs: 1,
    retry: { minMs: 60_000, maxMs: 60_000 },
  });
  first.write(record(1, '1:a'));
  void first.flush();
  await vi.waitUntil(() => first.counters.failures === 1, PATIENT);
  first.write(record(1, '1:b'));
  host.isAway = true;
  await first.close();
  expect(first.counters).toMatchObject({ taken: 2, written: 0, lost: 0, spilled: 2 });
  expect(() => first.write(record(1, '1:c'))).toThrow(/closed/);

  host.isAway = false;
  await using second = aggregator(host, { spill: new Spill(folder) });
  second.write(record(1, '1:c'));
  await second.flush();
  expect(host.lines).toEqual(['1:a', '1:b', '1:c']);
  expect(host.repeats).toBe(1);
});

test('without a disk it is lost, and counted', async () => {
  const host = new Host();
  host.isAway = true;
  const sink = aggregator(host, { closeMs: 1 });
  const lost = vi.fn();
  sink.on('lost', lost);
  for (const text of ['1:a', '1:b']) sink.write(record(1, text));
  await sink.close();
  expect(sink.counters).toMatchObject({ taken: 2, written: 0, lost: 2 });
  expect(lost).toHaveBeenCalledExactlyOnceWith(2, expect.stringContaining('before the end'));
});

test('after a crash that damaged the disk all that is whole arrives, and a line says that something is missing', async () => {
  const host = new Host();
  host.isAway = true;
  const live = join(folder, 'live');
  const crashed = join(folder, 'crashed');
  await using sink = aggregator(host, {
    maxMemoryBytes: 2000,
    maxBatchBytes: 1000,
    spill: new Spill(live),
    closeMs: 1,
  });
  for (let each = 0; each < 100; each++) sink.write(record(1, `1:${String(each).padStart(50)}`));
  const onDisk = sink.counters.spilled;
  // What a process leaves that is killed here, while it writes.
  cpSync(live, crashed, { recursive: true });
  const file = join(crashed, readdirSync(crashed).find((name) => name.endsWith('.spill')) as string);
  truncateSync(file, statSync(file).size - 1);

  const other = new Host();
  await using next = aggregator(other, { spill: new Spill(crashed) });
  await next.flush();
  const arrived = other.of(1).map((line) => Number(line.slice(2)));
  expect(arrived.length).toBeLessThan(onDisk);
  expect(arrived).toEqual(Array.from({ length: arrived.length }, (_, each) => (arrived[0] as number) + each));
  expect(other.lines).toContainEqual(expect.stringMatching(/^\d+ bytes of records .* are damaged and lost$/));
});

test('whatever fails, dies or starts anew, each record arrives once, in the order of its sender', async () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('write' as const),
        sender: fc.integer({ min: 1, max: 4 }),
        count: fc.integer({ min: 1, max: 60 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('fate' as const),
        fate: fc.constantFrom('refused connection' as const, 'died after it was taken' as const),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constantFrom('away' as const, 'back' as const, 'restart' as const, 'wait' as const),
      }),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const own = mkdtempSync(join(folder, 'run-'));
      const host = new Host();
      const open = () =>
        aggregator(host, {
          maxMemoryBytes: 3000,
          maxBatchBytes: 500,
          flushBytes: 200,
          closeMs: 1,
          spill: new Spill(own, { segmentBytes: 2000 }),
        });
      let sink = open();
      const sent = new Map<number, string[]>();
      for (const each of steps) {
        if ('fate' in each) host.fate.push(each.fate);
        else if ('sender' in each) {
          const mine = sent.get(each.sender) ?? [];
          sent.set(each.sender, mine);
          for (let count = 0; count < each.count; count++) {
            const text = `${each.sender}:${mine.length}`;
            expect(sink.write(record(each.sender, text))).toBe(true);
            mine.push(text);
          }
        } else if (each.kind === 'wait') await new Promise(setImmediate);
        else if (each.kind === 'restart') {
          await sink.close();
          sink = open();
        } else host.isAway = each.kind === 'away';
      }
      host.isAway = false;
      await sink.flush();
      for (const [sender, texts] of sent) expect(host.of(sender)).toEqual(texts);
      expect(host.lines).toHaveLength([...sent.values()].reduce((sum, { length }) => sum + length, 0));
      await sink.close();
      expect(sink.counters.lost).toBe(0);
      rmSync(own, { recursive: true });
    }),
    { numRuns: 60 },
  );
}, 300_000);
