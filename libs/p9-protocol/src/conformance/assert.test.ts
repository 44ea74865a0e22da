import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as own from './assert.ts';

function passes(run: () => void): boolean {
  try {
    run();
    return true;
  } catch (error) {
    expect((error as Error).name).toBe('AssertionError');
    return false;
  }
}

const values = fc.anything({
  withBigInt: true,
  withTypedArray: false,
  withNullPrototype: true,
  maxDepth: 3,
  key: fc.constantFrom('a', 'b', 'c'),
});
const pairs = fc.oneof(
  fc.tuple(values, values),
  values.map((value) => [value, structuredClone(value)] as const),
);

describe('the assertions of the conformance suite', () => {
  test('agree with node:assert/strict', () => {
    const property = fc.property(pairs, ([a, b]) => {
      expect(passes(() => own.equal(a, b))).toBe(passes(() => assert.equal(a, b)));
      expect(passes(() => own.notEqual(a, b))).toBe(passes(() => assert.notEqual(a, b)));
      expect(passes(() => own.deepEqual(a, b))).toBe(passes(() => assert.deepEqual(a, b)));
      expect(passes(() => own.ok(a))).toBe(passes(() => assert.ok(a)));
    });
    fc.assert(property, { numRuns: 2000 });
  });

  test('compare bytes', () => {
    expect(passes(() => own.deepEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 2)))).toBe(true);
    expect(passes(() => own.deepEqual([Uint8Array.of(1, 2)], [Uint8Array.of(1, 3)]))).toBe(false);
    expect(passes(() => own.deepEqual(Uint8Array.of(1), Uint8Array.of(1, 2)))).toBe(false);
  });

  test('say what was found and what was expected', () => {
    expect(() => own.equal(1n, 2n, 'nlink')).toThrow('nlink: 1n, expected 2n');
    expect(() => own.deepEqual({ a: 1n }, { a: Uint8Array.of(7) })).toThrow(
      'not equal: {"a":"1n"}, expected {"a":"bytes 7"}',
    );
    expect(() => own.fail('never')).toThrow('never');
  });
});
