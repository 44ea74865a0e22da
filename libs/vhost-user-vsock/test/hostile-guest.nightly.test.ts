import fc from 'fast-check';
import { test, vi } from 'vitest';
import { openDescriptors } from './core-under-test.ts';
import { HostileGuest, story } from './hostile-guest.ts';

test.each([
  ['at once', 0],
  ['later', 1],
])(
  '50,000 hostile guests, given back their packets %s, neither crash, hang nor wedge the device, and leave no descriptor behind',
  async (_, completionMs) => {
    const before = openDescriptors();
    {
      using hostile = new HostileGuest(completionMs);
      await fc.assert(
        fc.asyncProperty(story, (each) => hostile.play(each)),
        { numRuns: 50_000 },
      );
    }
    await vi.waitUntil(() => openDescriptors() <= before, { timeout: 60_000 });
  },
  3_600_000,
);
