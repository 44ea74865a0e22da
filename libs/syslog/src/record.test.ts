import { expect, test } from 'vitest';
import { LogRecord } from './record.ts';

test('a record that is kept is not changed by the next message in the same bytes', () => {
  const bytes = new TextEncoder().encode('....host prog hello');
  const record = new LogRecord();
  record.reset(bytes, 4, bytes.length, 12, 5e8);
  Object.assign(record, { hostnameStart: 4, hostnameEnd: 8, tagStart: 9, tagEnd: 13, contentStart: 13 });
  Object.assign(record, { messageStart: 14, pid: 7, senderPid: 7, severity: 3 });
  const kept = record.keep();
  bytes.fill(0x21);
  record.reset(bytes, 0, 4, 13, 0);
  expect(kept).toMatchObject({
    hostname: 'host',
    tag: 'prog',
    content: ' hello',
    message: 'hello',
    pid: 7,
    severity: 3,
  });
  expect(kept.time).toEqual(new Date(12_500));
  expect(kept.bytes).toHaveLength(15);
  expect(record).toMatchObject({
    message: '!!!!',
    tag: '',
    hostname: '',
    pid: 0,
    senderPid: -1,
    severity: 5,
  });
});

test('a record is made from fields', () => {
  const record = LogRecord.from({
    message: 'grüße',
    tag: 'prog',
    hostname: 'här',
    pid: 3,
    time: new Date(1250),
  });
  expect(record).toMatchObject({ message: 'grüße', content: 'grüße', tag: 'prog', hostname: 'här', pid: 3 });
  expect(record).toMatchObject({ seconds: 1, nanoseconds: 25e7, facility: 1, severity: 5 });
});

test('what is not UTF-8 is decoded all the same', () => {
  const record = new LogRecord();
  record.reset(Uint8Array.of(0x61, 0xff, 0x62), 0, 3, 0, 0);
  expect(record.message).toBe('a\ufffdb');
});

test('what is kept of a Buffer lasts, too', () => {
  const bytes = Buffer.from('one');
  const record = new LogRecord();
  record.reset(bytes, 0, 3, 0, 0);
  const kept = record.keep();
  bytes.write('two');
  expect(kept.message).toBe('one');
});
