import fc from 'fast-check';
import { expect, test } from 'vitest';
import { scrub, scrubTo } from './scrub.ts';

const shown = (text: string | number[]) =>
  Buffer.from(scrub(typeof text === 'string' ? Buffer.from(text) : Uint8Array.from(text))).toString();

test('text without anything odd stays as it is', () => {
  for (const text of ['', 'plain', 'grüße 漢字 😀 \u00a0\ufffd']) expect(shown(text)).toBe(text);
});

test('controls and noncharacters are told in octal', () => {
  expect(shown('a\tb\n\x1b[31m\x7f\0')).toBe('a#011b#012#033[31m#177#000');
  expect(shown('\u0080\u009f')).toBe('#200#237');
  expect(shown('\ufffe\uffff\ufdd0\ufdef')).toBe('#177776#177777#176720#176757');
  expect(shown('\u{1fffe}\u{10ffff}')).toBe('#377776#4177777');
});

test('each byte that is not UTF-8 is one replacement character', () => {
  expect(shown([0x61, 0xff, 0x80, 0x62])).toBe('a\ufffd\ufffdb');
  expect(shown([0xc0, 0xaf])).toBe('\ufffd\ufffd'); // longer than needed
  expect(shown([0xed, 0xa0, 0x80])).toBe('\ufffd\ufffd\ufffd'); // a surrogate
  expect(shown([0xf4, 0x90, 0x80, 0x80])).toBe('\ufffd'.repeat(4)); // beyond Unicode
  expect(shown([0xe2, 0x82])).toBe('\ufffd\ufffd'); // cut
  expect(shown([0xe2, 0x82, 0x41])).toBe('\ufffd\ufffdA');
});

test('a character that ends behind the text is none', () => {
  const bytes = Buffer.from('a\u20ac');
  const out = Buffer.alloc(16);
  expect(out.toString('utf8', 0, scrubTo(bytes, 0, 3, out, 0))).toBe('a\ufffd\ufffd');
});

test('one odd byte is found wherever it stands in much that is plain', () => {
  for (const odd of [0, 0x1f, 0x7f, 0x80, 0xff]) {
    for (let at = 0; at < 70; at++) {
      const bytes = Buffer.alloc(70, 'x ~!');
      bytes[at] = odd;
      expect(shown([...bytes])).toBe(reference(bytes));
    }
  }
});

/** The same by the platform's own decoder, a character or a byte at a time. */
function reference(bytes: Uint8Array): string {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    let length = 1;
    let character = '\ufffd';
    for (const size of [1, 2, 3, 4]) {
      try {
        character = decoder.decode(bytes.subarray(at, at + size));
        length = Math.min(size, bytes.length - at);
        break;
      } catch {}
    }
    const point = character.codePointAt(0) as number;
    const isOdd = /[\p{Cc}\p{Noncharacter_Code_Point}]/u.test(character);
    text += isOdd ? `#${point.toString(8).padStart(3, '0')}` : character;
    at += length;
  }
  return text;
}

test('any bytes come out as the decoder of the platform sees them, in the room that is promised', () => {
  const pieces = fc.oneof(
    fc.uint8Array({ maxLength: 12 }),
    fc.string({ unit: 'binary', maxLength: 6 }).map((text) => new Uint8Array(Buffer.from(text))),
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 6 }), (parts) => {
      const bytes = Buffer.concat(parts);
      const scrubbed = scrub(bytes);
      expect(Buffer.from(scrubbed).toString()).toBe(reference(bytes));
      expect(scrubbed.length).toBeLessThanOrEqual(4 * bytes.length);
    }),
    { numRuns: 400 },
  );
});
