import { expect, it } from 'vitest';
import { fuzz } from './fuzz.ts';

const RUNS = 1_000_000;

it('a million mutated regions, others each night, are read or refused', { timeout: 3_600_000 }, () => {
  const seed = Date.now() % 2 ** 31;
  const { read, refused } = fuzz({ runs: RUNS, seed });
  expect(read + refused, `seed ${seed}`).toBe(RUNS);
});
