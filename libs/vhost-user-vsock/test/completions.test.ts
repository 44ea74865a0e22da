import { expect, test, vi } from 'vitest';
import { Operation } from '../src/packets/header.ts';
import { Request } from '../src/vhost-user/messages.ts';
import { CoreUnderTest } from './core-under-test.ts';

/** Longer than a test takes: what comes before comes for another reason. */
const NEVER_MS = 3_600_000;
const PATIENT = { timeout: 60_000, interval: 5 };

/** Packets that are taken, and mean nothing. */
function sendPackets(under: CoreUnderTest, count: number): void {
  for (let packet = 0; packet < count; packet++)
    under.guest.queue({ operation: Operation.reset, guestPort: 1, hostPort: 1 });
  under.guest.kick(under.guest.tx);
}

test('a packet is delivered at once, and its buffer comes back later', async () => {
  using under = new CoreUnderTest({ completionMs: NEVER_MS });
  const fd = await under.connect();
  const { tx } = under.guest;
  under.guest.queue({ operation: Operation.data, guestPort: 1000, hostPort: 80, data: Buffer.from('now') });
  under.guest.kick(tx);
  expect(under.read(fd).data.toString()).toBe('now');
  expect(tx.takeUsed()).toEqual([]);
  expect(tx.wasInterrupted()).toBe(false);
});

test('buffers come back together, with one interrupt, when a quarter of the ring waits', () => {
  using under = new CoreUnderTest({ completionMs: NEVER_MS, ringSize: 16 });
  const { tx } = under.guest;
  for (let packet = 0; packet < 3; packet++) sendPackets(under, 1);
  expect(tx.takeUsed()).toEqual([]);
  expect(tx.wasInterrupted()).toBe(false);
  sendPackets(under, 1);
  expect(tx.takeUsed()).toHaveLength(4);
  expect(tx.wasInterrupted()).toBe(true);
});

test('a buffer comes back in a while, when nothing else happens', async () => {
  using under = new CoreUnderTest({ completionMs: 1 });
  const { tx } = under.guest;
  sendPackets(under, 1);
  await vi.waitUntil(() => tx.takeUsed().length === 1, PATIENT);
  expect(tx.wasInterrupted()).toBe(true);
});

test('a ring that is stopped, or moves, gives its buffers back first', () => {
  using under = new CoreUnderTest({ completionMs: NEVER_MS });
  const { guest } = under;
  sendPackets(under, 1);
  guest.frontEnd.send({ request: Request.setMemTable, ...guest.memoryTable() });
  under.core.poll();
  expect(guest.tx.takeUsed()).toHaveLength(1);
  sendPackets(under, 2);
  expect(guest.stopRing(1)).toBe(3);
  expect(guest.tx.takeUsed()).toHaveLength(2);
  expect(guest.tx.wasInterrupted()).toBe(true);
});

test('memory in which the rings do not lie any more ends the session, and not the device', async () => {
  using under = new CoreUnderTest({ completionMs: NEVER_MS });
  const { guest } = under;
  sendPackets(under, 1);
  guest.frontEnd.send({ request: Request.setMemTable, ...guest.memoryTable([]) });
  under.core.poll();
  const [[reason = ''] = []] = await under.events('detached');
  expect(reason).toContain('is not in guest memory');
  expect(guest.tx.takeUsed()).toHaveLength(1);
});
