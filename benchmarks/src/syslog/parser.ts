import {
  LogRecord,
  logFileFormat,
  parseKmsg,
  parseRfc3164,
  parseRfc5424,
  type RecordFormat,
  rfc3164Format,
  rfc5424Format,
  vmFileFormat,
} from '@vm-tools/syslog';
import { median } from '../median.ts';
import { figure, table } from '../table.ts';
import type { Measured, Part } from './part.ts';

/** Different messages, so that no branch is learnt by heart. */
const VARIETY = 1000;
/** How often they are worked off for a figure. */
const TURNS = 200;
/** The same for the heap: so few that no garbage of them is collected meanwhile. */
const HEAP_TURNS = 5;
const TARGET = 1e6;
const BOOT_MICROS = Date.UTC(2026, 10, 23) * 1000;

interface Case {
  readonly name: string;
  readonly perSecond: number;
  readonly nanoseconds: number;
  /** By which the heap grew for a message. */
  readonly heapBytes: number;
  readonly target?: number;
}

/** Messages that lie one behind the other, as a reader finds them. */
interface Messages {
  readonly bytes: Buffer;
  readonly ends: Int32Array;
}

/** `--only parser`. */
export const benchParser: Part = async ({ rounds, signal }): Promise<Measured> => {
  const rfc3164 = messages((index) => `<${index % 192}>Nov 23 09:42:${seconds(index)} ${program(index)}: `);
  const rfc5424 = messages(
    (index) =>
      `<${index % 192}>1 2026-11-23T09:42:${seconds(index)}.123456Z host prog ${index} ID47 [a@1 b="c" d="${index}"] `,
  );
  const kmsg = messages(
    (index) => `6,${1e6 + index},${1e10 + index * 7919},-,caller=T1;usb 1-1: device ${index} `,
    '\n SUBSYSTEM=usb\n DEVICE=c189:1\n',
  );
  const parse3164 = (record: LogRecord): void => parseRfc3164(record);
  const parse5424 = (record: LogRecord): void => {
    if (!parseRfc5424(record)) throw new Error('a message of RFC 5424 was not parsed');
  };
  const parseKernel = (record: LogRecord): void => {
    if (!parseKmsg(record, BOOT_MICROS)) throw new Error('a record of the kernel was not parsed');
  };
  const writing = (format: RecordFormat) => {
    const out = Buffer.alloc(4096);
    return (record: LogRecord): void => {
      parseRfc3164(record);
      if (format.write(record, out, 0) < 100) throw new Error('a record was not written');
    };
  };
  const cases: [string, Messages, (record: LogRecord) => void, number?][] = [
    ['RFC 3164, parsed', rfc3164, parse3164, TARGET],
    ['RFC 5424, parsed', rfc5424, parse5424],
    ['/dev/kmsg, parsed', kmsg, parseKernel],
    ['to a line of a log file', rfc3164, writing(logFileFormat({ hostname: 'host' }))],
    ['to a line of a VM', rfc3164, writing(vmFileFormat({ name: 'VM(3)' }))],
    ['to RFC 3164', rfc3164, writing(rfc3164Format())],
    ['to RFC 5424', rfc3164, writing(rfc5424Format({ hostname: 'host' }))],
  ];
  const rows = cases.map(([name, input, work, target]) => measure(name, input, work, rounds, signal, target));
  return { rows, table: parserTable(rows) };
};

function program(index: number): string {
  const name = ['cron', 'systemd-resolved', 'sshd', 'my-service'][index % 4];
  return index % 3 === 0 ? `${name}` : `${name}[${100 + index}]`;
}

function seconds(index: number): string {
  return String(Math.floor((index * 60) / VARIETY)).padStart(2, '0');
}

/** Of 200 bytes each. */
function messages(header: (index: number) => string, trailer = ''): Messages {
  const all = Array.from(
    { length: VARIETY },
    (_, index) => header(index).padEnd(200 - trailer.length, 'a line of text, ') + trailer,
  );
  const ends = new Int32Array(VARIETY);
  let end = 0;
  for (const [index, message] of all.entries()) ends[index] = end += Buffer.byteLength(message);
  return { bytes: Buffer.from(all.join('')), ends };
}

function measure(
  name: string,
  input: Messages,
  work: (record: LogRecord) => void,
  rounds: number,
  signal: AbortSignal,
  target?: number,
): Case {
  const record = new LogRecord();
  const times: number[] = [];
  const heap: number[] = [];
  // The code is compiled when it is measured.
  for (let round = -3; round < rounds; round++) {
    signal.throwIfAborted();
    const start = process.cpuUsage();
    workOff(input, record, work, TURNS);
    const { user, system } = process.cpuUsage(start);
    const before = process.memoryUsage().heapUsed;
    workOff(input, record, work, HEAP_TURNS);
    const grown = process.memoryUsage().heapUsed - before;
    if (round < 0) continue;
    times.push(((user + system) * 1000) / (TURNS * VARIETY));
    heap.push(grown / (HEAP_TURNS * VARIETY));
  }
  const nanoseconds = median(times);
  const row = { name, perSecond: 1e9 / nanoseconds, nanoseconds, heapBytes: median(heap) };
  return target === undefined ? row : { ...row, target };
}

function workOff(
  { bytes, ends }: Messages,
  record: LogRecord,
  work: (record: LogRecord) => void,
  turns: number,
): void {
  const now = Date.UTC(2026, 10, 23, 9, 43) / 1000;
  for (let turn = 0; turn < turns; turn++) {
    let start = 0;
    for (let index = 0; index < VARIETY; index++) {
      const end = ends[index] as number;
      record.reset(bytes, start, end, now, 0);
      work(record);
      start = end;
    }
  }
}

function parserTable(rows: readonly Case[]): string {
  return table(
    [
      'message of 200 bytes',
      'CPU ns each:',
      'messages/s and core:',
      'target:',
      'reached',
      'heap bytes each:',
    ],
    rows.map(({ name, perSecond, nanoseconds, heapBytes, target }) => [
      name,
      figure(nanoseconds),
      figure(perSecond),
      figure(target),
      target === undefined ? '' : perSecond >= target ? 'yes' : 'no',
      figure(heapBytes),
    ]),
  );
}
