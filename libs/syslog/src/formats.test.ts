import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newlineFramed, octetCounted } from './framed-format.ts';
import { LogRecord, type RecordFields } from './record.ts';
import { parseRfc3164 } from './rfc3164.ts';
import { logFileFormat, rfc3164Format } from './rfc3164-format.ts';
import { parseRfc5424, parseSyslog, structuredDataOf } from './rfc5424.ts';
import { rfc5424Format } from './rfc5424-format.ts';
import type { RecordFormat } from './sink.ts';
import { vmFileFormat, vmSocketFormat } from './vm-format.ts';

const NOW = new Date(2026, 10, 3, 9, 8, 7);
const AT = 5;

/** What a format writes for records, each behind the other: nothing outside of the room that it may use. */
function written(format: RecordFormat, ...records: LogRecord[]): Buffer {
  return Buffer.concat(
    records.map((record) => {
      const room = format.overhead + 4 * (record.end - record.start);
      const out = Buffer.alloc(AT + room + 5, '~');
      const end = format.write(record, out, AT);
      expect(end - AT).toBeLessThanOrEqual(room);
      expect(out.toString('latin1', 0, AT) + out.toString('latin1', AT + room)).toBe('~'.repeat(10));
      return out.subarray(AT, end);
    }),
  );
}

const line = (format: RecordFormat, record: LogRecord) => written(format, record).toString();

function made(fields: Partial<RecordFields> = {}): LogRecord {
  return LogRecord.from({ message: 'hello', tag: 'prog', time: NOW, ...fields });
}

function received(message: string | Uint8Array): LogRecord {
  const bytes = Buffer.from(message as string);
  const record = new LogRecord();
  record.reset(bytes, 0, bytes.length, NOW.getTime() / 1000, 0);
  parseRfc3164(record);
  return record;
}

function ofKernel(): LogRecord {
  const record = made({ tag: '', facility: 0, severity: 6, message: 'usb 1-1: new' });
  record.source = 'kernel';
  return record;
}

describe('RFC 3164', () => {
  test.each([
    [made({ pid: 7, severity: 3, facility: 3 }), '<27>Nov  3 09:08:07 prog[7]: hello'],
    [made(), '<13>Nov  3 09:08:07 prog: hello'],
    [made({ tag: '' }), '<13>Nov  3 09:08:07 hello'],
    [made({ hostname: 'its' }), '<13>Nov  3 09:08:07 prog: hello'],
    [made({ message: 'a\nb\0\x1b' }), '<13>Nov  3 09:08:07 prog: a#012b#000#033'],
    [received('<999>Nov  3 09:08:07 a[x y]: b'), '<15>Nov  3 09:08:07 a[x y]: b'],
    [received('<13>Nov  3 09:08:07 a[x-1]: b'), '<13>Nov  3 09:08:07 a[x-1]: b'],
    [ofKernel(), '<6>Nov  3 09:08:07 kernel: usb 1-1: new'],
  ])('%#', (record, expected) => {
    expect(line(rfc3164Format(), record)).toBe(expected);
  });

  test('names a host for the network, that of the record first', () => {
    const format = rfc3164Format({ hostname: 'my host' });
    expect(line(format, made())).toBe('<13>Nov  3 09:08:07 my_host prog: hello');
    expect(line(format, made({ hostname: 'its' }))).toBe('<13>Nov  3 09:08:07 its prog: hello');
  });

  test('tells the pid that the kernel says, where the message lied', () => {
    const record = received('<13>Nov  3 09:08:07 a[1]: b');
    Object.assign(record, { senderPid: 77, pid: 77, isCorrected: true });
    expect(line(rfc3164Format(), record)).toBe('<13>Nov  3 09:08:07 a[77]: b');
    const silent = received('<13>Nov  3 09:08:07 a: b');
    Object.assign(silent, { senderPid: 77, pid: 77 });
    expect(line(rfc3164Format(), silent)).toBe('<13>Nov  3 09:08:07 a: b');
  });

  test('is copied byte for byte when that is wanted', () => {
    const record = received(Buffer.from('<13>Nov  3 09:08:07 a: \xff\0\n.', 'latin1'));
    expect(written(rfc3164Format({ raw: true }), record).toString('latin1')).toBe(
      '<13>Nov  3 09:08:07 a: \xff\0\n.',
    );
  });
});

describe('RFC 5424', () => {
  const format = rfc5424Format({ hostname: 'host' });
  const time = NOW.toISOString().replace('Z', '000Z');

  test.each([
    [made({ pid: 7, severity: 3, facility: 3 }), `<27>1 ${time} host prog 7 - - hello`],
    [made({ hostname: 'its', tag: '' }), `<13>1 ${time} its - - - - hello`],
    [made({ message: '' }), `<13>1 ${time} host prog - - -`],
    [made({ tag: 'with space\u00e4' }), `<13>1 ${time} host with_space__ - - - hello`],
    [
      made({ tag: 't'.repeat(50), hostname: 'h'.repeat(300) }),
      `<13>1 ${time} ${'h'.repeat(255)} ${'t'.repeat(48)} - - - hello`,
    ],
    [made({ message: 'a\nb' }), `<13>1 ${time} host prog - - - a#012b`],
    [ofKernel(), `<6>1 ${time} host kernel - - - usb 1-1: new`],
    [made({ time: new Date(Date.UTC(10_000, 0)) }), '<13>1 - host prog - - - hello'],
  ])('%#', (record, expected) => {
    expect(line(format, record)).toBe(expected);
  });

  test('has microseconds', () => {
    const record = made();
    record.nanoseconds = 1_234_999;
    expect(line(format, record)).toContain(`${time.slice(0, 20)}001234Z `);
  });

  test('has structured data: of the record, else its own', () => {
    const structuredData = { 'a@1': { b: 'q"\\]ä', c: '' }, empty: {} };
    const own = rfc5424Format({ hostname: 'host', structuredData });
    expect(line(own, made())).toContain(' - [a@1 b="q\\"\\\\\\]ä" c=""][empty] hello');
    const record = received('<13>1 - h a - - [x y="1\n"] hi');
    expect(parseRfc5424(record)).toBe(true);
    expect(line(own, record)).toMatch(/^<13>1 \S+ h a - - \[x y="1#012"\] hi$/);
    const raw = rfc5424Format({ hostname: 'host', raw: true });
    expect(line(raw, record)).toContain('[x y="1\n"] hi');
  });

  test.each(['', 'a b', 'a=b', 'a]', 'a"', 'ä', 'x'.repeat(33)])('refuses %j as a name', (name) => {
    const make = (structuredData: Record<string, Record<string, string>>) => () =>
      rfc5424Format({ hostname: 'h', structuredData });
    expect(make({ [name]: {} })).toThrow(RangeError);
    expect(make({ a: { [name]: '' } })).toThrow(RangeError);
  });
});

describe('a line for a VM', () => {
  const name = 'VM(3)';

  test('in its file', () => {
    const format = vmFileFormat({ name });
    const record = received('<30>Nov  3 09:08:07 prog[7]: x\x07');
    expect(line(format, record)).toBe('Nov  3 09:08:07 <14>  VM(3):  prog[7]: x#007\n');
    expect(line(format, received('no priority'))).toBe('Nov  3 09:08:07 <13>  VM(3): no priority\n');
    const raw = vmFileFormat({ name, raw: true });
    expect(line(raw, made({ message: 'a\x07\nb' }))).toBe('Nov  3 09:08:07 <13>  VM(3): a\x07 b\n');
  });

  test('for the syslog of the host', () => {
    const format = vmSocketFormat({ name });
    const record = received('<30>Nov  3 09:08:07 prog[7]: x\x07');
    expect(line(format, record)).toBe('<14>Nov  3 09:08:07 VM(3):  prog[7]: x#007');
    expect(line(vmSocketFormat({ name, raw: true }), record)).toBe(
      '<14>Nov  3 09:08:07 VM(3):  prog[7]: x\x07',
    );
  });

  test.each([0, 1, 2, 3, 4, 5, 6, 7])('says severity %i as one of a user', (severity) => {
    const record = made({ severity, facility: 23 });
    expect(line(vmFileFormat({ name }), record)).toContain(` <${8 + severity}>  `);
    expect(line(vmSocketFormat({ name }), record)).toMatch(new RegExp(`^<${8 + severity}>`));
  });
});

test('a line of a log file names host and program', () => {
  const format = logFileFormat({ hostname: 'host' });
  expect(line(format, made({ pid: 7 }))).toBe('Nov  3 09:08:07 host prog[7]: hello\n');
  expect(line(format, ofKernel())).toBe('Nov  3 09:08:07 host kernel: usb 1-1: new\n');
});

describe('framing', () => {
  const text: RecordFormat = {
    overhead: 0,
    write(record, out, at) {
      out.set(record.messageBytes, at);
      return at + record.messageBytes.length;
    },
  };
  const records = (...texts: string[]) => texts.map((message) => LogRecord.from({ message }));

  test('by counting bytes, whatever is in them', () => {
    const long = 'x'.repeat(12_345);
    const texts = ['a', '', 'grüße\n', long, 'b'.repeat(100), 'c'];
    expect(written(octetCounted(text), ...records(...texts)).toString()).toBe(
      `1 a0 8 grüße\n12345 ${long}100 ${'b'.repeat(100)}1 c`,
    );
  });

  test('by newlines, of which there are no others', () => {
    expect(written(newlineFramed(text), ...records('a', '', 'b\n\nc\n')).toString()).toBe('a\n\nb  c \n');
  });
});

describe('what is written is parsed to the same', () => {
  const word = fc.stringMatching(/^[!#-9;-Z\\^-~]{1,20}$/).filter((text) => text !== '-');
  const fields = fc.record({
    message: fc.string({ unit: 'grapheme', maxLength: 40 }).map((text) => text.trim()),
    tag: word,
    hostname: word,
    severity: fc.nat(7),
    facility: fc.nat(23),
    pid: fc.nat(4_000_000),
    time: fc.date({
      min: new Date('2026-06-01T00:00:00Z'),
      max: new Date('2026-12-01T00:00:00Z'),
      noInvalidDate: true,
    }),
  });

  function again(format: RecordFormat, record: LogRecord): LogRecord {
    const bytes = written(format, record);
    const parsed = new LogRecord();
    parsed.reset(bytes, 0, bytes.length, NOW.getTime() / 1000, 0);
    parseSyslog(parsed, true);
    return parsed;
  }

  const whole = ({ severity, facility, pid, tag, hostname, message }: LogRecord) => ({
    severity,
    facility,
    pid,
    tag,
    hostname,
    message,
  });

  test('by RFC 5424', () => {
    const format = rfc5424Format({
      hostname: 'other',
      structuredData: { 'a@1': { x: '"]\\', y: 'ä' } },
      raw: true,
    });
    fc.assert(
      fc.property(fields, (each) => {
        const record = LogRecord.from(each);
        const parsed = again(format, record);
        expect(whole(parsed)).toEqual(whole(record));
        expect(parsed.time).toEqual(record.time);
        expect(structuredDataOf(parsed)).toEqual([
          {
            id: 'a@1',
            parameters: [
              ['x', '"]\\'],
              ['y', 'ä'],
            ],
          },
        ]);
      }),
      { numRuns: 2000 },
    );
  });

  test('by RFC 3164, to the second', () => {
    const format = rfc3164Format({ hostname: 'other', raw: true });
    fc.assert(
      fc.property(fields, (each) => {
        const record = LogRecord.from({ ...each, tag: each.tag.replaceAll('[', '') || 'tag' });
        const parsed = again(format, record);
        expect(whole(parsed)).toEqual(whole(record));
        expect(parsed.seconds).toBe(record.seconds);
      }),
      { numRuns: 2000 },
    );
  });
});
