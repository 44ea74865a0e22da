import { describe, expect, test } from 'vitest';
import { LogRecord } from './record.ts';
import { parseRfc5424, parseSyslog, structuredDataOf } from './rfc5424.ts';

function received(message: string | Uint8Array): LogRecord {
  const bytes = Buffer.from(message as string);
  // In the midst of others, whose bytes are not to be read.
  const all = Buffer.concat([Buffer.from('<1>1 - - '), bytes, Buffer.from(' - - - - x] y="z"] more')]);
  const record = new LogRecord();
  record.reset(all, 9, 9 + bytes.length, 1000, 7);
  return record;
}

function parsed(message: string | Uint8Array): LogRecord {
  const record = received(message);
  expect(parseRfc5424(record)).toBe(true);
  return record;
}

describe('a message of RFC 5424', () => {
  test('as section 6.5 shows them', () => {
    const first = parsed(
      "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \ufeff'su root' failed for lonvick on /dev/pts/8",
    );
    expect(first).toMatchObject({ facility: 4, severity: 2, hostname: 'mymachine.example.com', tag: 'su' });
    expect(first).toMatchObject({ processId: '', pid: 0, messageId: 'ID47', data: '', hasTime: true });
    expect(first.message).toBe("'su root' failed for lonvick on /dev/pts/8");
    expect(first.content).toBe(first.message);
    expect(first.time).toEqual(new Date('2003-10-11T22:14:15.003Z'));

    const second = parsed(
      "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
    );
    expect(second).toMatchObject({ hostname: '192.0.2.1', processId: '8710', pid: 8710, nanoseconds: 3000 });
    expect(second.message).toBe("%% It's time to make the do-nuts.");

    const third = parsed(
      '<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 ' +
        '[exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"][examplePriority@32473 class="high"]',
    );
    expect(third.message).toBe('');
    expect(structuredDataOf(third)).toEqual([
      {
        id: 'exampleSDID@32473',
        parameters: [
          ['iut', '3'],
          ['eventSource', 'Application'],
          ['eventID', '1011'],
        ],
      },
      { id: 'examplePriority@32473', parameters: [['class', 'high']] },
    ]);
  });

  test('with nothing but what there must be', () => {
    const record = parsed('<0>1 - - - - - -');
    expect(record).toMatchObject({ hostname: '', tag: '', processId: '', messageId: '', data: '' });
    expect(record).toMatchObject({ message: '', hasTime: false, seconds: 1000, nanoseconds: 7, facility: 0 });
    expect(structuredDataOf(record)).toEqual([]);
    expect(parsed('<13>1 - - - - - - -')).toMatchObject({ message: '-' });
    expect(parsed('<13>1 - - - - - -  two\n\0')).toMatchObject({ message: ' two' });
  });

  test('may have a second mark of UTF-8, which is text', () => {
    expect(parsed('<13>1 - - - - - - \ufeff\ufeffx').message).toBe('\ufeffx');
  });

  test('has backslashes before three characters only', () => {
    const record = parsed('<13>1 - - - - - [a b="\\"x\\]" b="\\\\" c="\\n\\x"][d] text');
    expect(record).toMatchObject({ data: '[a b="\\"x\\]" b="\\\\" c="\\n\\x"][d]', message: 'text' });
    expect(structuredDataOf(record)).toEqual([
      {
        id: 'a',
        parameters: [
          ['b', '"x]'],
          ['b', '\\'],
          ['c', '\\n\\x'],
        ],
      },
      { id: 'd', parameters: [] },
    ]);
  });
});

describe('is no message of RFC 5424, and lost is nothing of it', () => {
  test.each([
    '',
    '1 - - - - - - no priority',
    '<13>2 - - - - - - another version',
    '<13>1',
    '<13>1 ',
    '<13>1 -',
    '<13>1 - - - - -',
    '<13>1 - - - - - ',
    '<13>1 -  - - - - two spaces',
    '<13>1 2003-10-11T22:14:15.003 h a - - - no zone',
    '<13>1 Nov  3 09:08:07 a: old time',
    '<13>1 - - - - - -text',
    '<13>1 - - - - - text',
    '<13>1 - - - - - [',
    '<13>1 - - - - - []',
    '<13>1 - - - - - [a',
    '<13>1 - - - - - [a b]',
    '<13>1 - - - - - [a b=]',
    '<13>1 - - - - - [a b="',
    '<13>1 - - - - - [a b="c\\"',
    '<13>1 - - - - - [a b="c"',
    '<13>1 - - - - - [a b="c"]text',
    '<13>1 - h\nh - - - - text',
  ])('%j', (message) => {
    const record = received(message);
    expect(parseRfc5424(record)).toBe(false);
    expect(record.message).toBe(message.replace(/^<13>/, ''));
    expect(record).toMatchObject({ hostname: '', tag: '', pid: 0, hasTime: false });
  });
});

test('a receiver of both takes each for what it is', () => {
  const take = (message: string, hasHostname?: boolean) => {
    const record = received(message);
    parseSyslog(record, hasHostname);
    return record;
  };
  expect(take('<13>1 - h a 7 - - x')).toMatchObject({ hostname: 'h', tag: 'a', pid: 7, message: 'x' });
  expect(take('<13>Nov  3 09:08:07 a[7]: x')).toMatchObject({ hostname: '', tag: 'a', pid: 7, message: 'x' });
  expect(take('<13>Nov  3 09:08:07 h a[7]: x', true)).toMatchObject({
    hostname: 'h',
    tag: 'a',
    message: 'x',
  });
  expect(take('<13>Nov  3 09:08:07 h a[7]: x', true).content).toBe(' a[7]: x');
  expect(take('<13>Nov  3 09:08:07 a[7]: x', true)).toMatchObject({ hostname: '', tag: 'a', message: 'x' });
  expect(take('<13>Nov  3 09:08:07 a: x', true)).toMatchObject({ hostname: '', tag: 'a', message: 'x' });
  expect(take('<13>Nov  3 09:08:07 ::1 a: x', true)).toMatchObject({ hostname: '::1', tag: 'a' });
  expect(take('<13>h a: x', true)).toMatchObject({ hostname: '', message: 'h a: x' });
  expect(take('<13>1 broken', true)).toMatchObject({ message: '1 broken', hasPriority: true });
});
