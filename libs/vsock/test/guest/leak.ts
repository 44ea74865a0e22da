import { expect } from 'vitest';
import { bootVsockGuest, program } from './vsock-guest.ts';

/** Connects that many times in a guest, in ten windows, and compares what there is before and after each. */
export async function expectNothingLeft(connections: number): Promise<void> {
  await using guest = await bootVsockGuest();
  const flags = ['--expose-gc', '--max-semi-space-size=1'];
  const argv = ['/usr/local/bin/node', ...flags, program.path, 'leaking', String(connections)];
  const left = JSON.parse(await guest.run(argv, { timeoutMs: 3_600_000 })) as Record<string, number>;
  expect(left['descriptors']).toBe(0);
  expect(left['resources']).toBe(0);
  // A leak is seen in every window, and a connection that is lost takes more than a kilobyte.
  expect(left['bytes']).toBeLessThan(Math.max(2 ** 20, (connections / 10) * 100));
}
