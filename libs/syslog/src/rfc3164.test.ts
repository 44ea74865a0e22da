import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LogRecord } from './record.ts';
import { parseRfc3164 } from './rfc3164.ts';

const NOW = new Date(2026, 10, 23, 12, 0, 0);

function parsed(message: string | Uint8Array, now = NOW): LogRecord {
  const bytes = Buffer.from(message as string);
  const record = new LogRecord();
  record.reset(bytes, 0, bytes.length, now.getTime() / 1000, 0);
  parseRfc3164(record);
  return record;
}

describe('a message of /dev/log', () => {
  test('as glibc sends it', () => {
    const record = parsed('<13>Nov 23 09:42:03 prog[123]: hello world\n');
    expect(record).toMatchObject({ facility: 1, severity: 5, tag: 'prog', processId: '123', pid: 123 });
    expect(record).toMatchObject({
      message: 'hello world',
      content: ' prog[123]: hello world',
      hasTime: true,
      hostname: '',
    });
    expect(record.time).toEqual(new Date(2026, 10, 23, 9, 42, 3));
  });

  test.each([
    ['<14>hello from Python\0', { message: 'hello from Python', tag: '', hasTime: false, hasPriority: true }],
    ['no priority', { message: 'no priority', facility: 1, severity: 5, hasPriority: false }],
    ['<191>Nov  3 09:42:03 a: b', { facility: 23, severity: 7, tag: 'a', message: 'b' }],
    ['<6> Nov 03 09:42:03  kernel: x', { facility: 0, tag: 'kernel', message: 'x', content: '  kernel: x' }],
    ['<13>Nov 3 09:42:03 a: b', { hasTime: true, tag: 'a' }],
    [
      '<13>Nov 23 09:42:03 /usr/sbin/cron(root)[x-1]: go',
      { tag: '/usr/sbin/cron(root)', processId: 'x-1', pid: 0, message: 'go' },
    ],
    ['<13>Nov 23 09:42:03 prog[7] no colon', { tag: 'prog', pid: 7, message: 'no colon' }],
    ['<13>Nov 23 09:42:03 prog:', { tag: 'prog', message: '' }],
    ['<13>Nov 23 09:42:03 prog[99999999999]: x', { tag: 'prog', pid: 0, processId: '99999999999' }],
    [
      '<13>Nov 23 09:42:03 see http://x/ and std::vector: fine',
      { tag: '', message: 'see http://x/ and std::vector: fine' },
    ],
    ['<13>Nov 23 09:42:03 prog[1: x', { tag: '', message: 'prog[1: x' }],
    ['<13>Nov 23 09:42:03', { hasTime: true, message: '', content: '' }],
    ['<13>Nov 31 09:42:03 a: b', { hasTime: false, message: 'Nov 31 09:42:03 a: b' }],
    ['<13>Nov 23 24:42:03 a: b', { hasTime: false }],
    ['<1234>x', { hasPriority: false, message: '<1234>x' }],
    ['<>x', { hasPriority: false, message: '<>x' }],
    ['<13', { hasPriority: false, message: '<13' }],
    ['<13>', { hasPriority: true, message: '' }],
    ['', { hasPriority: false, message: '' }],
    ['<13>   indented: text', { tag: 'indented', content: '   indented: text' }],
  ])('%j', (message, fields) => {
    expect(parsed(message)).toMatchObject(fields);
  });

  test('with a time of RFC 5424', () => {
    const record = parsed('<13>2026-11-23T09:42:03.123456+01:30 prog: x');
    expect(record).toMatchObject({ tag: 'prog', message: 'x', hasTime: true, nanoseconds: 123_456_000 });
    expect(record.seconds).toBe(Date.UTC(2026, 10, 23, 8, 12, 3) / 1000);
  });

  test('lies in the year that is closest', () => {
    const year = (message: string, now: Date) => parsed(message, now).time.getFullYear();
    expect(year('<13>Dec 31 23:59:59 a: b', new Date(2027, 0, 1))).toBe(2026);
    expect(year('<13>Jan  1 00:00:01 a: b', new Date(2026, 11, 31, 23, 59))).toBe(2027);
    expect(year('<13>Jun  1 00:00:00 a: b', new Date(2026, 11, 31))).toBe(2026);
    expect(parsed('<13>Feb 29 00:00:00 a: b', new Date(2027, 1, 28)).hasTime).toBe(false);
    expect(parsed('<13>Feb 29 00:00:00 a: b', new Date(2028, 1, 28)).hasTime).toBe(true);
  });

  test('may be any bytes, and its parts lie in it and in order', () => {
    const pieces = fc.oneof(
      fc.constantFrom(
        '<13>',
        '<',
        '>',
        'Nov 23 09:42:03',
        'Nov  3 09:42:03',
        '2026-11-23T09:42:03Z',
        ' ',
        ':',
        '[',
        ']',
        '[12]:',
      ),
      fc.constantFrom('tag', 'Feb', '\0', '\n', '-', '+01:00', '.5', '999'),
      fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const record = parsed(Buffer.concat(parts.map((part) => Buffer.from(part as string))));
        const { start, end, contentStart, tagStart, tagEnd, processIdStart, processIdEnd } = record;
        expect(start <= contentStart && contentStart <= record.messageStart).toBe(true);
        expect(record.messageStart <= record.messageEnd && record.messageEnd === end).toBe(true);
        expect(start <= tagStart && tagStart <= tagEnd && tagEnd <= record.messageStart).toBe(true);
        expect(start <= processIdStart && processIdStart <= processIdEnd && processIdEnd <= end).toBe(true);
        expect(Number.isFinite(record.seconds)).toBe(true);
        expect(record.severity <= 7 && record.facility <= 127).toBe(true);
      }),
      { numRuns: 20_000 },
    );
  });
});
