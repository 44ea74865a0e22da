import { expect, test } from 'vitest';
import { fuzz } from './fuzz.ts';

// The nightly run sends a million (fuzz.nightly.test.ts), from seeds that stay: what they found once they would find again.
test.each([0x9b2000, 1, 20_260_101])(
  '20,000 frames are answered without harm (a third of them from seed %i)',
  async (seed) => {
    const { frames, successes } = await fuzz(7000, seed);
    expect(frames).toBeGreaterThan(6500);
    // Else the frames would test nothing but the refusal of nonsense.
    expect(successes / frames).toBeGreaterThan(0.2);
  },
);

test.each([
  ['promised', 0x9b2000],
  ['promised', 2],
  ['failing', 0x9b2000],
  ['failing', 3],
] as const)(
  '2,500 frames are answered without harm by a filesystem that is %s (seed %i)',
  async (kind, seed) => {
    const { frames, successes } = await fuzz(2500, seed, kind);
    expect(frames).toBeGreaterThan(2200);
    expect(successes / frames).toBeGreaterThan(0.15);
  },
);
