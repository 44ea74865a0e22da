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

test('bytes are counted over all its requests, and forgotten when a request is complete or given up', async () => {
  const usage = new Usages(limits).enter(vm(3)) as Usage;
  const one = usage.counted(parts(4, 4));
  expect((await one.next()).value).toHaveLength(4);
  const two = usage.counted(parts(6, 1));
  expect((await two.next()).value).toHaveLength(6);
  await expect(two.next()).rejects.toMatchObject({ code: Code.ResourceExhausted });
  expect((await one.next()).value).toHaveLength(4);
  expect((await one.next()).done).toBe(true);
  const three = usage.counted(parts(10, 1));
  expect((await three.next()).value).toHaveLength(10);
  await three.return(undefined);
  expect((await usage.counted(parts(10)).next()).done).toBe(false);
});
