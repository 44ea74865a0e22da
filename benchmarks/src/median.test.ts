import { expect, test } from 'vitest';
import { median } from './median.ts';

test('the median of an odd number of values is the one in the middle, whatever their order', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([10, 9, 2, 1, 100])).toBe(9);
});

test('the median of an even number of values lies halfway between the two in the middle', () => {
  expect(median([4, 1, 3, 100])).toBe(3.5);
});

test('numbers are ordered as numbers, and the list is left as it was', () => {
  const values = [10, 9, 100];
  expect(median(values)).toBe(10);
  expect(values).toEqual([10, 9, 100]);
});

test('nothing has no median', () => {
  expect(() => median([])).toThrow(RangeError);
});
