import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { openDescriptors } from './core-under-test.ts';
import { HostileGuest, story } from './hostile-guest.ts';

test.each([
  ['at once', 0],
  ['later', 1],
])(
  '2,500 hostile guests, given back their packets %s, neither crash, hang nor wedge the device, and leave no descriptor behind',
  async (_, completionMs) => {
    const before = openDescriptors();
    {
      using hostile = new HostileGuest(completionMs);
      await fc.assert(
        fc.asyncProperty(story, (each) => hostile.play(each)),
        { numRuns: 2500 },
      );
      // They are stopped for many reasons, and each is told.
      const reasons = new Set(hostile.reasons.map((reason) => reason.replaceAll(/\d+/g, 'N')));
      expect(reasons.size).toBeGreaterThan(10);
    }
    await vi.waitUntil(() => openDescriptors() <= before, { timeout: 60_000 });
  },
  900_000,
);
