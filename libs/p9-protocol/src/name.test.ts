import { describe, expect, test } from 'vitest';
import { Name } from './name.ts';

describe('isEntryName', () => {
  test.each(['a', '...', '.a', '..a', 'a.', 'ä', '\\', ' ', '\n', 'x'.repeat(255)])(
    '%j can name an entry',
    (text) => {
      expect(Name.from(text).isEntryName()).toBe(true);
    },
  );

  test.each(['', '.', '..', '/', 'a/b', '/a', 'a/', '../a', '\0', 'a\0', '\0a'])('%j cannot', (text) => {
    expect(Name.from(text).isEntryName()).toBe(false);
  });

  test('bytes that are not UTF-8 can', () => {
    expect(new Name(new Uint8Array([0xff, 0xfe, 0x80])).isEntryName()).toBe(true);
  });

  test('looks at its own part of the frame only', () => {
    const frame = new TextEncoder().encode('/a/../\0');
    expect(new Name(frame, 1, 1).isEntryName()).toBe(true);
    expect(new Name(frame, 3, 2).isEntryName()).toBe(false);
    expect(new Name(frame, 3, 1).isEntryName()).toBe(false);
    expect(new Name(frame, 1, 2).isEntryName()).toBe(false);
  });
});

test('toString decodes UTF-8 and marks what is not', () => {
  expect(Name.from('grün').toString()).toBe('grün');
  expect(new Name(new Uint8Array([0x61, 0xff])).toString()).toBe('a\ufffd');
});

test('toBytes is a copy of its part of the frame', () => {
  const frame = new Uint8Array([1, 2, 3, 4]);
  const bytes = new Name(frame, 1, 2).toBytes();
  frame.fill(0);
  expect(bytes).toStrictEqual(new Uint8Array([2, 3]));
});
