import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { harmless } from './terminal.ts';

describe('text of a guest on a terminal', () => {
  it.each([
    ['plain\ttext\n', 'plain\ttext\n'],
    ['Grüße, 世界 🐧\n', 'Grüße, 世界 🐧\n'],
    ['dos\r\n', 'dos\n'],
    ['over\rwritten', 'over^Mwritten'],
    ['\x1b[2J\x1b]0;title\x07', '^[[2J^[]0;title^G'],
    ['\x08\x7f\0', '^H^?^@'],
    ['\u009b31m', '\\x9b31m'],
    ['\u202etxt.exe\u2066', '\\u202etxt.exe\\u2066'],
  ])('%j is %j', (text, shown) => {
    expect(harmless(Buffer.from(text))).toBe(shown);
  });

  it('shows bytes that are no UTF-8, and the lines around them as they are', () => {
    const bytes = Buffer.concat([
      Buffer.from('ü\n'),
      Buffer.from([0x61, 0xff, 0x9b, 0x0a]),
      Buffer.from('ü'),
    ]);
    expect(harmless(bytes)).toBe('ü\na\\xff\\x9b\nü');
  });

  it('is free of controls, whatever it was', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
        expect(harmless(bytes)).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f]/);
      }),
    );
  });
});
