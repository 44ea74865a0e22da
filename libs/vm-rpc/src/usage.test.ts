import { Code } from '@connectrpc/connect';
import type { Peer } from '@vm-tools/vsock';
import { expect, test } from 'vitest';
import { type Usage, Usages } from './usage.ts';

const limits = { maxConnectionsPerPeer: 2, maxPendingBytesPerPeer: 10 };
const vm = (cid: number, port = 1): Peer => ({ kind: 'vsock', cid, port, by: 'kernel' });

async function* parts(...sizes: number[]): AsyncGenerator<Uint8Array> {
  for (const size of sizes) yield new Uint8Array(size);
}

test('a peer has its connections counted together, whatever its ports', () => {
  const usages = new Usages(limits);
  const first = usages.enter(vm(3, 1));
  expect(usages.enter(vm(3, 2))).toBe(first);
  expect(usages.enter(vm(3, 3))).toBeUndefined();
  expect(usages.enter(vm(4))).toBeDefined();
  usages.leave(vm(3, 1));
  expect(usages.enter(vm(3, 4))).toBe(first);
});

test('a peer without connections is forgotten', () => {
  const usages = new Usages(limits);
  const first = usages.enter(vm(3));
  usages.leave(vm(3));
  expect(usages.enter(vm(3))).not.toBe(first);
});

test('bytes are counted over all its requests, until these have been answered', async () => {
  const usage = new Usages(limits).enter(vm(3)) as Usage;
  const one = usage.hold();
  const first = one.count(parts(4, 4));
  expect((await first.next()).value).toHaveLength(4);
  const two = usage.hold();
  const second = two.count(parts(6, 1));
  expect((await second.next()).value).toHaveLength(6);
  await expect(second.next()).rejects.toMatchObject({ code: Code.ResourceExhausted });
  two[Symbol.dispose]();
  expect((await first.next()).value).toHaveLength(4);
  expect((await first.next()).done).toBe(true);
  using three = usage.hold();
  await expect(three.count(parts(3)).next()).rejects.toMatchObject({ code: Code.ResourceExhausted });
  three[Symbol.dispose]();
  one[Symbol.dispose]();
  expect(usage.pendingBytes).toBe(0);
});
