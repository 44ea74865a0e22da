import * as linux from '@vm-tools/linux';
import { test as base, describe, expect, vi } from 'vitest';
import { KeptRecords } from '../test/kept-records.ts';
import { KmsgReader, type KmsgReaderOptions } from './kmsg-reader.ts';

const { AF_UNIX, SOCK_SEQPACKET } = linux.constants;
const patience = { timeout: 60_000 };

interface Fixture {
  sink: KeptRecords;
  /** Reads what `kernel` says. */
  read: (options?: Partial<KmsgReaderOptions>) => KmsgReader;
  kernel: { say: (...records: string[]) => void; end: () => void };
}

const test = base.extend<Fixture & { ends: [number, number] }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the pattern to learn what the fixture needs
  sink: async ({}, use) => use(new KeptRecords()),
  // biome-ignore lint/correctness/noEmptyPattern: as above
  ends: async ({}, use) => {
    const [near, far] = linux.socketpair(AF_UNIX, SOCK_SEQPACKET);
    await use([near, far]);
  },
  read: async ({ sink, ends: [near] }, use) => {
    const readers: KmsgReader[] = [];
    await use((options) => {
      readers.push(new KmsgReader({ sink, fd: near, ...options }));
      return readers.at(-1) as KmsgReader;
    });
    for (const reader of readers) reader.close();
  },
  kernel: async ({ ends: [, far] }, use) => {
    let isOpen = true;
    const end = () => {
      if (isOpen) linux.close(far);
      isOpen = false;
    };
    const say = (...records: string[]) => {
      for (const record of records) {
        const bytes = Buffer.from(record);
        expect(linux.send(far, bytes, 0, bytes.length, 0)).toBe(bytes.length);
      }
    };
    await use({ say, end });
    end();
  },
});

describe('records of the kernel', () => {
  test('are read with their number, priority, time and dictionary', async ({ sink, read, kernel }) => {
    const reader = read();
    kernel.say('6,0,1500000,-;Linux version 6\n', '28,1,2500001,c;usb 1-1: new\n SUBSYSTEM=usb\n');
    await vi.waitUntil(() => sink.records.length === 2, patience);
    const [first, second] = sink.records;
    expect(first).toMatchObject({
      source: 'kernel',
      sequence: 0,
      severity: 6,
      monotonic: 1_500_000,
      hasTime: true,
    });
    expect(first?.message).toBe('Linux version 6');
    expect(second).toMatchObject({ sequence: 1, severity: 4, facility: 3, isFragment: true });
    expect(second?.data).toContain('SUBSYSTEM=usb');
    // One second and a microsecond later; both were read at once.
    expect(Number(second?.time) - Number(first?.time)).toBeGreaterThanOrEqual(1000);
    expect(reader.sequence).toBe(1);
    expect(reader.counters).toMatchObject({ records: 2, lost: 0, strange: 0, waits: 0 });
  });

  test('that are missing between two are counted as lost, and told', async ({ sink, read, kernel }) => {
    const reader = read();
    const lost: number[][] = [];
    reader.on('lost', (records, next) => lost.push([records, next]));
    kernel.say('6,3,1,-;a\n', '6,4,1,-;b\n', '6,9,1,-;c\n');
    await vi.waitUntil(() => sink.records.length === 3, patience);
    expect(lost).toEqual([
      [3, 3],
      [4, 9],
    ]);
    expect(reader.counters.lost).toBe(7);
  });

  test('up to a number are passed over', async ({ sink, read, kernel }) => {
    const reader = read({ from: { after: 4 } });
    kernel.say('6,3,1,-;a\n', '6,4,1,-;b\n', '6,6,1,-;c\n');
    await vi.waitUntil(() => sink.records.length === 1, patience);
    expect(sink.messages).toEqual(['c']);
    expect(reader.counters).toMatchObject({ lost: 1, records: 1 });
    expect(reader.sequence).toBe(6);
  });

  test('wait while the sink is full', async ({ sink, read, kernel }) => {
    const reader = read();
    const events: string[] = [];
    reader.on('full', () => events.push('full')).on('room', () => events.push('room'));
    sink.block();
    kernel.say('6,0,1,-;a\n', '6,2,1,-;b\n');
    await vi.waitUntil(() => events.length === 1, patience);
    expect(reader.sequence).toBe(-1);
    sink.open();
    await vi.waitUntil(() => sink.records.length === 2, patience);
    expect(sink.messages).toEqual(['a', 'b']);
    await vi.waitUntil(() => events.length === 2, patience);
    expect(events).toEqual(['full', 'room']);
    expect(reader.counters).toMatchObject({ records: 2, lost: 1 });
  });

  test('are told from what is none', async ({ sink, read, kernel }) => {
    const reader = read();
    kernel.say('no record', '6,0,1,-;a\n');
    await vi.waitUntil(() => sink.records.length === 1, patience);
    expect(reader.counters.strange).toBe(1);
  });

  test('come to an end', async ({ read, kernel }) => {
    const reader = read();
    const failed = new Promise<Error>((resolve) => reader.on('failing', resolve));
    kernel.end();
    expect((await failed).message).toContain('has ended');
  });
});

test('a path that is not there is told', ({ sink }) => {
  expect(() => new KmsgReader({ sink, path: '/nonexistent' })).toThrow('ENOENT');
});
