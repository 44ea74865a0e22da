import fc from 'fast-check';
import {
  journalExportFormat,
  journalNativeFormat,
  kmsgDictionaryOf,
  LogRecord,
  logFileFormat,
  newlineFramed,
  octetCounted,
  parseKmsg,
  parseRfc3164,
  parseRfc5424,
  parseSyslog,
  type RecordFormat,
  rfc3164Format,
  rfc5424Format,
  structuredDataOf,
  unescapeKmsg,
  vmFileFormat,
  vmSocketFormat,
} from '../src/index.ts';

// Messages as programs and kernels send them, with some of their bytes changed: each is parsed and written in all formats without harm.

const NOW = Date.UTC(2026, 10, 23, 12) / 1000;

/** Each parser, and whether it has understood. */
const parsers = {
  'RFC 3164': (record: LogRecord) => {
    parseRfc3164(record);
    return record.tagEnd > record.tagStart;
  },
  'RFC 3164 of the network': (record: LogRecord) => {
    parseRfc3164(record, true);
    return record.hostnameEnd > record.hostnameStart;
  },
  'RFC 5424': parseRfc5424,
  'either RFC': (record: LogRecord) => {
    parseSyslog(record, true);
    return record.hasTime;
  },
  '/dev/kmsg': (record: LogRecord) => parseKmsg(record, NOW * 1e6),
} as const;

export type Parser = keyof typeof parsers;
export const parserNames = Object.keys(parsers) as Parser[];

const samples: Readonly<Record<Parser, readonly string[]>> = {
  'RFC 3164': [
    '<13>Nov 23 09:42:03 prog[123]: hello world\n',
    '<38>Nov  3 09:42:03 sshd[4711]: Accepted publickey for root from 192.0.2.7 port 50022 ssh2\0',
    '<6> Nov 03 09:42:03  kernel: usb 1-1: new device',
    '<13>2026-11-23T09:42:03.123456+01:30 prog: gr\u00fc\u00dfe',
    '<86>Nov 23 09:42:03 CRON[99]: pam_unix(cron:session): session opened',
    'Nov 23 09:42:03 /usr/sbin/cron(root)[x-1]: go',
  ],
  'RFC 3164 of the network': [
    '<13>Nov 23 09:42:03 host prog[123]: hello world\n',
    '<30>Nov  3 09:42:03 2001:db8::1 dhcpd: DHCPACK',
    '<13>2026-11-23T09:42:03Z host.example prog: x',
  ],
  'RFC 5424': [
    "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \ufeff'su root' failed",
    '<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% text',
    '<165>1 2003-10-11T22:14:15.003Z host evntslog - ID47 [a@32473 iut="3" c="A\\"\\]\\\\"][b@1 class="high"] text',
    '<0>1 - - - - - -',
    '<13>1 - host app 1 - [a][b c=""]',
  ],
  'either RFC': [
    '<165>1 2003-10-11T22:14:15.003Z host evntslog 7 ID47 [a@32473 iut="3"] text',
    '<13>Nov 23 09:42:03 host prog[123]: hello world\n',
  ],
  '/dev/kmsg': [
    '6,339,5140900,-;NET: Registered protocol family 10\n',
    '7,160,424069,-,caller=T1;pci 0000:00:1f.0: found\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:1f.0\n',
    '30,340,5690716,-;udevd[80]: starting\n',
    '4,2,0,c;part \\x0a\\x5c\\xc3\\xbc\n A=\\x01\n',
  ],
};

const pieces = fc.oneof(
  fc.constantFrom('<', '<13>', '<191>', '>', ' ', '-', ':', '[', ']', '"', '\\', '=', ';', ',', '\n', '\0'),
  fc.constantFrom(
    'Nov 23 09:42:03',
    'Feb 30 00:00:00',
    '2026-11-23T09:42:03.5Z',
    '1 ',
    '- - - -',
    '\ufeff',
    '[a b="',
  ),
  fc.constantFrom(
    '99999999999999999999',
    '9007199254740993',
    '\\x4',
    '\\xff',
    ' A=\\x0a\n',
    '\x7f',
    '\u{1f600}',
    '\ufffe',
  ),
  fc.uint8Array({ minLength: 1, maxLength: 6 }),
);

/** At a place (in ten thousandths) some bytes are taken out and others put in. */
const change = fc.record({ place: fc.nat(10_000), out: fc.nat(4), in: pieces });

function arbitraryMessage(parser: Parser): fc.Arbitrary<Buffer> {
  const mutated = fc
    .tuple(fc.constantFrom(...samples[parser]), fc.array(change, { maxLength: 4 }), fc.nat(10_000))
    .map(([sample, changes, cut]) => {
      let bytes = Buffer.from(sample);
      for (const { place, out, in: put } of changes) {
        const at = Math.floor((place * bytes.length) / 10_000);
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(put as string), bytes.subarray(at + out)]);
      }
      // Most are whole.
      return cut < 8000 ? bytes : bytes.subarray(0, Math.floor((cut / 10_000) * bytes.length));
    });
  const random = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    fc
      .array(pieces, { maxLength: 10 })
      .map((all) => Buffer.concat(all.map((piece) => Buffer.from(piece as string)))),
  );
  return fc.oneof({ arbitrary: mutated, weight: 4 }, { arbitrary: random, weight: 1 });
}

const structuredData = { 'origin@1': { software: 'x"]\\' } };
const lines: readonly RecordFormat[] = [
  logFileFormat({ hostname: 'host' }),
  logFileFormat({ hostname: 'host', raw: true }),
  vmFileFormat({ name: 'VM(3)' }),
  vmFileFormat({ name: 'VM(3)', raw: true }),
  newlineFramed(rfc3164Format()),
  newlineFramed(rfc5424Format({ hostname: 'host', raw: true })),
];
const datagrams: readonly RecordFormat[] = [
  rfc3164Format({ hostname: 'host' }),
  rfc3164Format({ raw: true }),
  rfc5424Format({ hostname: 'host', structuredData }),
  rfc5424Format({ hostname: 'host', structuredData, raw: true }),
  vmSocketFormat({ name: 'VM(3)' }),
  octetCounted(rfc5424Format({ hostname: 'host' })),
  journalNativeFormat(),
  journalExportFormat({ hostname: 'host', fields: { NOTE: 'a\nb' } }),
];

/**
 * Parses and writes so many messages.
 * @returns how many of them the parser has understood
 */
export function fuzz(parser: Parser, runs: number, seed: number): number {
  let understood = 0;
  const before = received(Buffer.alloc(0), '');
  const check = (message: Buffer) => {
    const record = received(message, '<1>1 - ');
    const sent = Buffer.from(record.bytes);
    if (parsers[parser](record)) understood++;
    if (!sent.equals(record.bytes)) throw new Error('the parser has changed what it parsed');
    checkPlaces(record, record.start + message.length);
    checkAlone(parser, message, record, neighbours[message.length % neighbours.length] as string);
    structuredDataOf(record);
    for (const format of lines) checkLine(written(format, record));
    for (const format of datagrams) written(format, record);
    kmsgDictionaryOf(record);
    unescapeKmsg(record);
    checkPlaces(record, record.start + message.length);
    // The next one finds nothing of this one.
    record.reset(before.bytes, before.start, before.end, NOW, 0);
    if (JSON.stringify(numbersOf(record)) !== JSON.stringify(numbersOf(before)))
      throw new Error('something of a message is left in the record');
  };
  fc.assert(fc.property(arbitraryMessage(parser), check), { numRuns: runs, seed });
  return understood;
}

/** A message in the midst of bytes that are not its own. */
function received(message: Buffer, around: string): LogRecord {
  const others = Buffer.from(around);
  const record = new LogRecord();
  const bytes = Buffer.concat([others, message, others]);
  record.reset(bytes, others.length, others.length + message.length, NOW, 0);
  return record;
}

/** Parts lie in the message, each behind its beginning; numbers are numbers. */
function checkPlaces(record: LogRecord, most: number): void {
  const { start, end } = record;
  const parts = [
    [record.hostnameStart, record.hostnameEnd],
    [record.tagStart, record.tagEnd],
    [record.processIdStart, record.processIdEnd],
    [record.messageIdStart, record.messageIdEnd],
    [record.dataStart, record.dataEnd],
    [record.contentStart, record.messageEnd],
    [record.messageStart, record.messageEnd],
  ] as const;
  for (const [partStart, partEnd] of parts)
    if (!(start <= partStart && partStart <= partEnd && partEnd <= end))
      throw new Error('a part lies outside');
  if (end > most || record.contentStart > record.messageStart) throw new Error('the text lies outside');
  const { seconds, nanoseconds, facility, severity, pid } = record;
  if (!Number.isInteger(seconds) || !(nanoseconds >= 0 && nanoseconds < 1e9)) throw new Error('an odd time');
  if (!(severity >= 0 && severity <= 7 && facility >= 0 && facility <= 127))
    throw new Error('an odd priority');
  if (!(Number.isInteger(pid) && pid >= 0 && pid < 2 ** 31)) throw new Error('an odd pid');
}

/** Every beginning of every sample is parsed by itself, whatever follows it. */
export function checkBeginnings(parser: Parser): void {
  for (const sample of samples[parser]) {
    for (let length = 0; length <= Buffer.byteLength(sample); length++) {
      const message = Buffer.from(sample).subarray(0, length);
      const record = received(message, '');
      parsers[parser](record);
      for (const around of [...neighbours, sample]) checkAlone(parser, message, record, around);
    }
  }
}

/** What would go on with something that a message begins. */
const neighbours = ['00', '00 9', ' ', '="x"] 1', ' - - -', ']: [', ';\n A=b', '\x01'];

/** What lies around a message makes no difference. */
function checkAlone(parser: Parser, message: Buffer, record: LogRecord, around: string): void {
  const other = received(message, around);
  parsers[parser](other);
  if (JSON.stringify(numbersOf(other)) !== JSON.stringify(numbersOf(record)))
    throw new Error(`what lies around is taken for a part of it: ${message} | ${around}`);
}

/** All but the bytes, with places counted from the beginning. */
function numbersOf(record: LogRecord): object {
  const { bytes: _, start, ...rest } = record;
  return Object.entries(rest).map(([name, value]) => [
    name,
    /(?:Start|End|^end)$/.test(name) ? (value as number) - start : value,
  ]);
}

function written(format: RecordFormat, record: LogRecord): Buffer {
  const room = format.overhead + 4 * (record.end - record.start);
  const out = Buffer.alloc(room + 4, '~');
  const end = format.write(record, out, 0);
  if (!(end <= room) || out.toString('latin1', room) !== '~~~~')
    throw new Error('written outside of the room');
  return out.subarray(0, end);
}

function checkLine(line: Buffer): void {
  if (line.indexOf(0x0a) !== line.length - 1) throw new Error(`not one line: ${line}`);
}
