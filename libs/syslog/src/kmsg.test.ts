import { describe, expect, test } from 'vitest';
import { kmsgDictionaryOf, parseKmsg, unescapeKmsg } from './kmsg.ts';
import { LogRecord } from './record.ts';

const BOOT = 1_795_000_000_250_000;

function received(text: string): LogRecord {
  const bytes = Buffer.from(text);
  const all = Buffer.concat([Buffer.from('6,1'), bytes, Buffer.from('1,2,3,-;next\n A=b\n')]);
  const record = new LogRecord();
  record.reset(all, 3, 3 + bytes.length, 1000, 7);
  return record;
}

function parsed(text: string): LogRecord {
  const record = received(text);
  expect(parseKmsg(record, BOOT)).toBe(true);
  return record;
}

describe('a record of /dev/kmsg', () => {
  test('says its priority, number and time', () => {
    const record = parsed('6,339,5140900,-;NET: Registered protocol family 10\n');
    expect(record).toMatchObject({ source: 'kernel', facility: 0, severity: 6, hasPriority: true });
    expect(record).toMatchObject({ sequence: 339, monotonic: 5_140_900, isFragment: false, data: '' });
    expect(record).toMatchObject({ message: 'NET: Registered protocol family 10', tag: '', pid: 0 });
    expect(record).toMatchObject({ hasTime: true, seconds: 1_795_000_005, nanoseconds: 390_900_000 });
  });

  test('has the time of reading when nobody knows when the machine was started', () => {
    const record = received('6,339,5140900,-;x');
    expect(parseKmsg(record)).toBe(true);
    expect(record).toMatchObject({ hasTime: false, seconds: 1000, nanoseconds: 7, monotonic: 5_140_900 });
  });

  test('may have a dictionary', () => {
    const text =
      '7,160,424069,-,caller=T1;pci 0000:00:1f.0: found\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:1f.0\n';
    const record = parsed(text);
    expect(record.message).toBe('pci 0000:00:1f.0: found');
    expect(record.data).toBe(' SUBSYSTEM=pci\n DEVICE=+pci:0000:00:1f.0');
    expect([...kmsgDictionaryOf(record)]).toEqual([
      ['SUBSYSTEM', 'pci'],
      ['DEVICE', '+pci:0000:00:1f.0'],
    ]);
    expect(kmsgDictionaryOf(parsed('6,1,1,-;x\n A=\\x41\\xc3\\xa4=\n odd\nB=c\n'))).toEqual(
      new Map([['A', 'Aä=']]),
    );
    expect(kmsgDictionaryOf(LogRecord.from({ message: 'x' }))).toEqual(new Map());
  });

  test('may be part of a line', () => {
    expect(parsed('6,1,1,c;half').isFragment).toBe(true);
    expect(parsed('6,1,1,+;half').isFragment).toBe(true);
  });

  test('is of a program, which has a tag', () => {
    const record = parsed('30,340,5690716,-;udevd[80]: starting\n');
    expect(record).toMatchObject({ facility: 3, tag: 'udevd', pid: 80, message: 'starting' });
    expect(record.content).toBe('udevd[80]: starting');
  });

  test('has what is not printable escaped, until someone asks', () => {
    const record = parsed('6,1,1,-;a\\x0ab \\x5cx41 \\xC3\\xa4 \\x4 \\xg0 \\\\x\n A=\\x41\n');
    expect(record.message).toBe('a\\x0ab \\x5cx41 \\xC3\\xa4 \\x4 \\xg0 \\\\x');
    expect(kmsgDictionaryOf(record).get('A')).toBe('A');
    expect(record.data).toBe(' A=\\x41');
    unescapeKmsg(record);
    expect(record.message).toBe('a\nb \\x41 ä \\x4 \\xg0 \\\\x');
    expect(kmsgDictionaryOf(record).get('A')).toBe('A');
  });

  test('ends where it ends, also within an escape', () => {
    const record = parsed('6,1,1,-;a\\x4');
    unescapeKmsg(record);
    expect(record.message).toBe('a\\x4');
  });

  test('may be empty, and its numbers large', () => {
    expect(parsed('6,1,0,-;')).toMatchObject({ message: '', data: '', seconds: 1_795_000_000 });
    const late = parsed('1016,18446744073,315360000000000,-;x');
    expect(late).toMatchObject({ facility: 127, sequence: 18_446_744_073, monotonic: 315_360_000_000_000 });
    expect(late.seconds).toBe(1_795_000_000 + 315_360_000);
  });
});

test.each([
  '',
  '6',
  '6,1,2',
  '6,1,2,-',
  '6,1,2,-,caller=T1',
  ',1,2,-;x',
  '6,,2,-;x',
  '6,1,x,-;x',
  '-6,1,2,-;x',
  '<6>text;',
  '1024,1,2,-;x',
  '6,1,99999999999999999999,-;x',
])('%j is no record of /dev/kmsg, and lost is nothing of it', (text) => {
  const record = received(text);
  expect(parseKmsg(record, BOOT)).toBe(false);
  expect(record).toMatchObject({ message: text, source: 'kernel', hasTime: false, seconds: 1000 });
});
