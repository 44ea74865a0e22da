import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as linux from '@vm-tools/linux';
import { KmsgReader, type KmsgReaderOptions } from '../../../src/index.ts';
import { KeptRecords } from '../../kept-records.ts';

/**
 * Run in a guest: reads its kernel's log in many ways, and prints one line of JSON on what it saw.
 */
/** The kernel stamps its records by another clock, which nobody sets. */
const CLOCKS_APART_MS = 60_000;
const PATIENCE_MS = 200_000;
const kmsg = linux.open('/dev/kmsg', linux.constants.O_WRONLY);
// As many as a program likes; by default the kernel takes ten in five seconds.
writeFileSync('/proc/sys/kernel/printk_devkmsg', 'on\n');
// None of it to the console, which is a slow serial line.
writeFileSync('/proc/sys/kernel/printk', '1');

function say(text: string): void {
  // Without the newline nobody sees it until the next record comes: it could be continued.
  const bytes = Buffer.from(`${text}\n`);
  linux.check(linux.write(kmsg, bytes, 0, bytes.length), 'write');
}

function reading(options: Partial<KmsgReaderOptions> = {}) {
  const sink = new KeptRecords();
  const reader = new KmsgReader({ sink, ...options });
  /** Resolves when a record of that text has come. */
  const until = async (text: string) => {
    const deadline = Date.now() + PATIENCE_MS;
    for (let seen = 0; ; ) {
      for (; seen < sink.records.length; seen++) if (sink.records[seen]?.message === text) return;
      if (Date.now() > deadline)
        throw new Error(`no ${text}: ${JSON.stringify(reader.counters)}, ${sink.messages.slice(-3)}`);
      await sleep(5);
    }
  };
  return { sink, reader, until };
}

const isWithoutGaps = ({ sink }: ReturnType<typeof reading>) =>
  sink.records.every(({ sequence }, index) => sequence === index + (sink.records[0]?.sequence ?? 0));

async function fromStart() {
  const before = Date.now();
  say('<12>mark[7]: one');
  say('<13>mark: grün');
  using reader = reading().reader;
  const all = reading();
  await all.until('grün');
  const mark = all.sink.records.find(({ message }) => message === 'one');
  all.reader.close();
  return {
    first: all.sink.records[0]?.sequence,
    hasVersion: all.sink.messages.some((text) => text.startsWith('Linux version ')),
    isWithoutGaps: isWithoutGaps(all),
    counters: { ...all.reader.counters, records: all.reader.counters.records === all.sink.records.length },
    hasDictionary: all.sink.records.some(({ data }) => data.includes('SUBSYSTEM=')),
    mark: mark && { severity: mark.severity, tag: mark.tag, pid: mark.pid, source: mark.source },
    isNow:
      mark !== undefined &&
      mark.time.getTime() > before - CLOCKS_APART_MS &&
      mark.time.getTime() < Date.now() + CLOCKS_APART_MS,
    isUnescaped: all.sink.messages.includes('grün'),
    isOpen: reader.counters.lost === 0,
  };
}

async function fromNowAndBehind() {
  const now = reading({ from: 'now' });
  say('two');
  await now.until('two');
  now.reader.close();
  for (const text of ['three', 'four']) say(text);
  const behind = reading({ from: { after: now.reader.sequence } });
  await behind.until('four');
  behind.reader.close();
  const own = (texts: string[]) => texts.filter((text) => ['one', 'two', 'three', 'four'].includes(text));
  return {
    now: own(now.sink.messages),
    behind: own(behind.sink.messages),
    lost: behind.reader.counters.lost,
  };
}

/** The kernel overwrites what nobody reads. */
async function overwritten() {
  const slow = reading({ from: 'now' });
  const told: number[] = [];
  slow.reader.on('lost', (records) => told.push(records));
  slow.sink.block();
  const first = 'first';
  say(first);
  while (slow.reader.counters.waits === 0) await sleep(5);
  const count = 5000;
  for (let i = 0; i < count; i++) say(`${i} ${'x'.repeat(200)}`);
  say('last');
  slow.sink.open();
  await slow.until('last');
  slow.reader.close();
  const { lost, records } = slow.reader.counters;
  const { records: kept } = slow.sink;
  const numbers = kept.map(({ sequence }) => sequence);
  return {
    isLost: lost > 0,
    isTold: told.reduce((sum, each) => sum + each, 0) === lost,
    // Every number is either read or lost, whatever else the kernel said meanwhile.
    isWhole: (numbers.at(-1) as number) - (numbers[0] as number) + 1 === records + lost,
    first: slow.sink.messages[0],
  };
}

/** A record that has no room is lost; the next of its size is not. */
async function tooLarge() {
  const small = reading({ from: 'now', bufferBytes: 128 });
  for (const text of ['y'.repeat(150), 'z'.repeat(150), 'end']) say(text);
  await small.until('end');
  small.reader.close();
  const { lost } = small.reader.counters;
  return {
    lost,
    kept: small.sink.messages.filter((text) => /^[yz]{150}$/.test(text)).map((text) => text[0]),
  };
}

const seen = {
  fromStart: await fromStart(),
  fromNowAndBehind: await fromNowAndBehind(),
  overwritten: await overwritten(),
  tooLarge: await tooLarge(),
};
process.stdout.write(`${JSON.stringify(seen)}\n`);
