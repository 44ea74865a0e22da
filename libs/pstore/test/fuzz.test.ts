import { expect, it } from 'vitest';
import { fuzz } from './fuzz.ts';

it('20,000 mutated regions are read, or refused with an error that says where', () => {
  const { read, refused } = fuzz({ runs: 20_000, seed: 1_000_000 });
  expect(read + refused).toBe(20_000);
  expect(read).toBeGreaterThan(19_000);
  expect(refused).toBeGreaterThan(100);
});
