import fc from 'fast-check';
import { test, vi } from 'vitest';
import { openDescriptors } from './core-under-test.ts';
import { HostileGuest, story } from './hostile-guest.ts';

test('100,000 hostile guests neither crash, hang nor wedge the device, and leave no descriptor behind', async () => {
  const before = openDescriptors();
  {
    using hostile = new HostileGuest();
    await fc.assert(
      fc.asyncProperty(story, (each) => hostile.play(each)),
      { numRuns: 100_000 },
    );
  }
  await vi.waitUntil(() => openDescriptors() <= before, { timeout: 60_000 });
}, 3_600_000);
