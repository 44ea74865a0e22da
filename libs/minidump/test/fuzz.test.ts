import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzz, tryCore, tryDump } from './fuzz.ts';

// The nightly run makes 200,000, from seeds that stay: what they found once they would find again.
test.each([0xc0de, 1, 20_260_101])(
  'mutated cores and minidumps are read or refused (a third of 5,000, from seed %i)',
  async (seed) => {
    const { cores, dumps } = await fuzz(850, seed);
    // Else they would test nothing but the refusal of nonsense.
    expect(cores).toBeGreaterThan(300);
    expect(dumps).toBeGreaterThan(300);
    expect(process.memoryUsage().rss).toBeLessThan(300 << 20);
  },
);

test('any bytes are refused', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
      expect(await tryCore(bytes, false)).toBe(false);
      expect(tryDump(bytes)).toBe(false);
    }),
    { seed: 5 },
  );
});
