import { describe, expect, test } from 'vitest';
import { ParsedTime, parseIsoTime, writeLocalTime } from './timestamp.ts';

function iso(text: string): number | undefined {
  const out = new ParsedTime();
  const bytes = Buffer.from(text);
  const end = parseIsoTime(bytes, 0, bytes.length, out);
  if (end < 0) return undefined;
  expect(end).toBe(bytes.length);
  return out.seconds * 1000 + out.nanoseconds / 1e6;
}

describe('an ISO time', () => {
  test.each([
    '1985-04-12T23:20:50.52Z',
    '1985-04-12T19:20:50.52-04:00',
    '2003-10-11T22:14:15.003Z',
    '2003-08-24T05:14:15.000003-07:00',
    '2000-02-29T00:00:00Z',
    '1969-12-31T23:59:59+00:00',
    '2400-12-31T23:59:59.999+14:00',
  ])('%s is what JavaScript takes it for', (text) => {
    expect(Math.floor(iso(text) as number)).toBe(Date.parse(text));
  });

  test('has up to nine digits behind the point, and perhaps a zone without a colon', () => {
    const out = new ParsedTime();
    parseIsoTime(Buffer.from('2026-01-01 00:00:00.123456789123+0100'), 0, 37, out);
    expect(out).toMatchObject({ seconds: Date.UTC(2025, 11, 31, 23) / 1000, nanoseconds: 123_456_789 });
  });

  test.each([
    '2003-08-24T05:14:15.000000003',
    '2003-02-29T00:00:00Z',
    '2003-13-01T00:00:00Z',
    '2003-00-01T00:00:00Z',
    '2003-01-00T00:00:00Z',
    '2003-01-01T24:00:00Z',
    '2003-01-01T00:60:00Z',
    '2003-01-01T00:00:00.Z',
    '2003-01-01T00:00:00+2',
    '2003-01-01T00:00:00+25:00',
    '2003/01/01T00:00:00Z',
    'x003-01-01T00:00:00Z',
  ])('is not %s', (text) => {
    expect(iso(text)).toBeUndefined();
  });
});

test('local time is written as RFC 3164 has it', () => {
  const out = Buffer.alloc(17, '.');
  for (const [date, text] of [
    [new Date(2026, 10, 3, 9, 8, 7), 'Nov  3 09:08:07'],
    [new Date(2026, 11, 31, 23, 59, 59), 'Dec 31 23:59:59'],
    [new Date(2026, 11, 31, 23, 59, 59), 'Dec 31 23:59:59'],
  ] as const) {
    expect(writeLocalTime(out, 1, date.getTime() / 1000)).toBe(16);
    expect(out.toString()).toBe(`.${text}.`);
  }
});
