import { expect, test } from 'vitest';
import { record, viewOf } from './record.ts';

const inner = record({ low: 'u16', wide: 'w32' });
const outer = record({ kind: 'u8', inner, words: ['u64', 2], raw: 3 });

test('a record is packed, and tells where its fields begin', () => {
  expect(outer.size).toBe(1 + 6 + 16 + 3);
  expect(outer.offsets).toEqual({ kind: 0, inner: 1, words: 7, raw: 23 });
});

test('what is written is read again', () => {
  const values = {
    kind: 255,
    inner: { low: 65535, wide: 0xffffffffn },
    words: [1n, 2n ** 64n - 1n],
    raw: Uint8Array.of(1, 2, 3),
  };
  expect(outer.read(viewOf(outer.encode(values)))).toEqual(values);
});

test('fields left out stay as they are, and are 0 in a new record', () => {
  const bytes = outer.encode({ raw: Uint8Array.of(9, 9, 9) });
  outer.write(viewOf(bytes), 0, { kind: 1 });
  expect([...bytes]).toEqual([1, ...new Array<number>(22).fill(0), 9, 9, 9]);
});

test('words of 32 bits are cut to them', () => {
  expect([...inner.encode({ wide: -1n })]).toEqual([0, 0, 255, 255, 255, 255]);
});

test('a record does not leave its bytes', () => {
  expect(() => outer.read(viewOf(new Uint8Array(outer.size - 1)))).toThrow(RangeError);
  expect(() => outer.write(viewOf(new Uint8Array(25)), 0, { raw: new Uint8Array(3) })).toThrow(RangeError);
});
