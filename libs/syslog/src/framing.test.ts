import { describe, expect, test } from 'vitest';
import { Framing } from './framing.ts';

/** The messages of a stream that arrives in pieces of some size; those that were cut end with `…`. */
function frames(text: string, piece: number, longest = 16): string[] {
  const bytes = Buffer.from(text, 'latin1');
  const framing = new Framing(longest);
  const found: string[] = [];
  let at = 0;
  for (let end = Math.min(piece, bytes.length); ; end = Math.min(end + piece, bytes.length)) {
    while (framing.find(bytes, at, end)) {
      found.push(bytes.toString('latin1', framing.start, framing.end) + (framing.isCut ? '…' : ''));
      at = framing.next;
    }
    at = framing.next;
    if (end === bytes.length) break;
  }
  return at < bytes.length ? [...found, `rest ${bytes.toString('latin1', at)}`] : found;
}

describe.each([1, 2, 3, 7, 1000])('in pieces of %d bytes', (piece) => {
  test('messages end with NUL', () => {
    expect(frames('<13>one\0<13>two\0\0<13>three\0<13>fo', piece)).toEqual([
      '<13>one',
      '<13>two',
      '',
      '<13>three',
      'rest <13>fo',
    ]);
  });

  test('messages end with a newline', () => {
    expect(frames('<13>one\n<13>two\n<13>three\n', piece)).toEqual(['<13>one', '<13>two', '<13>three']);
  });

  test('behind a message that ends with NUL newlines are text', () => {
    expect(frames('one\0two\nlines\0three\n', piece)).toEqual(['one', 'two\nlines', 'rest three\n']);
  });

  test('messages say their length', () => {
    expect(frames('5 <1>ab12 <2>c\nd 3 <4>e8 <3>\0\0', piece)).toEqual([
      '<1>ab',
      '<2>c\nd 3 <4>',
      'e8 <3>',
      '',
    ]);
  });

  test('numbers that are no length are text', () => {
    expect(frames('12 apples\n0 <1>\n123456789 <1>x\n42\n7\n', piece)).toEqual([
      '12 apples',
      '0 <1>',
      '123456789 <1>x',
      '42',
      '7',
    ]);
  });

  test('what is too long is cut, and its end passed over', () => {
    expect(frames('0123456789abcdefgh\nnext\n', piece)).toEqual(['0123456789abcdef…', 'next']);
    expect(frames('20 <0>3456789abcdefghij5 <1>ab', piece)).toEqual(['<0>3456789abcdef…', '<1>ab']);
    expect(frames('0123456789abcdef\nnext\n', piece)).toEqual(['0123456789abcdef', 'next']);
  });
});

test('a message of several lines is not taken apart when its NUL has come with it', () => {
  expect(frames('one\ntwo\0three\n\0', 1000)).toEqual(['one\ntwo', 'three\n']);
});

test('it ends, and finds only what is there, whatever the bytes', () => {
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 0x8000_0000;
    return (seed >> 8) % below;
  };
  const alphabet = Buffer.from('0123456789 <>\n\0ab');
  for (let run = 0; run < 5000; run++) {
    const bytes = Buffer.from(Array.from({ length: 40 }, () => alphabet[random(alphabet.length)] as number));
    const framing = new Framing(8);
    let at = 0;
    for (let end = 0; end <= bytes.length; end += 1 + random(9)) {
      while (framing.find(bytes, at, end)) {
        expect(framing.next).toBeGreaterThan(at);
        expect(framing.start).toBeGreaterThanOrEqual(at);
        expect(framing.end - framing.start).toBeLessThanOrEqual(8);
        expect(framing.next).toBeGreaterThanOrEqual(framing.end);
        expect(framing.next).toBeLessThanOrEqual(end);
        at = framing.next;
      }
      expect(framing.next).toBeGreaterThanOrEqual(at);
      at = framing.next;
    }
  }
});
