import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { openDescriptors } from './core-under-test.ts';
import { HostileGuest, story } from './hostile-guest.ts';

test('5,000 hostile guests neither crash, hang nor wedge the device, and leave no descriptor behind', async () => {
  const before = openDescriptors();
  {
    using hostile = new HostileGuest();
    await fc.assert(
      fc.asyncProperty(story, (each) => hostile.play(each)),
      { numRuns: 5000 },
    );
    // They are stopped for many reasons, and each is told.
    const reasons = new Set(hostile.reasons.map((reason) => reason.replaceAll(/\d+/g, 'N')));
    expect(reasons.size).toBeGreaterThan(10);
  }
  await vi.waitUntil(() => openDescriptors() <= before, { timeout: 60_000 });
}, 900_000);
