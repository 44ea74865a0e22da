import type { Peer } from '@vm-tools/vsock';
import { expect, test } from 'vitest';
import { peerCheck } from './peer-rules.ts';

const vm = (cid: number): Peer => ({ kind: 'vsock', cid, port: 1, by: 'kernel' });
const user = (uid: number): Peer => ({ kind: 'unix', pid: 1, uid, gid: 0 });
const machine = (host: string): Peer => ({ kind: 'tcp', host, port: 1 });
const hybrid: Peer = { kind: 'hybrid', path: '/run/vm.sock', port: 1 };
const own = process.geteuid?.() ?? -1;

test.each([
  ['a VM', vm(3), {}, true],
  ['a VM that is accepted', vm(3), { acceptCids: [3, 4] }, true],
  ['a VM that is accepted by a function', vm(3), { acceptCids: (cid: number) => cid === 3 }, true],
  ['a VM that is not', vm(5), { acceptCids: [3, 4] }, false],
  ['a hybrid socket', hybrid, {}, true],
  ['a hybrid socket where only some VMs are accepted', hybrid, { acceptCids: [3] }, false],
  ['a user where only some VMs are accepted', user(own), { acceptCids: [3] }, false],
  ['root', user(0), {}, true],
  ['the own user', user(own), {}, true],
  ['another user', user(own + 1), {}, false],
  ['another user where everybody is accepted', user(own + 1), { acceptUids: 'any' as const }, true],
  ['another user who is accepted', user(own + 1), { acceptUids: new Set([own + 1]) }, true],
  ['root where others are accepted', user(0), { acceptUids: [own + 1] }, false],
  ['this machine', machine('127.0.0.1'), {}, true],
  ['this machine by IPv6', machine('::ffff:127.0.0.1'), {}, true],
  ['another machine', machine('192.0.2.1'), {}, false],
  ['nobody that is known', undefined, {}, false],
])('%s', (_, peer, rules, isAllowed) => {
  expect(peerCheck(rules)(peer) === undefined).toBe(isAllowed);
});

test('TLS is enough for another machine, but does not make it a VM', () => {
  expect(peerCheck({}, true)(machine('192.0.2.1'))).toBeUndefined();
  expect(peerCheck({ acceptCids: [3] }, true)(machine('192.0.2.1'))).toMatch(/no CID/);
});

test('what can be gone through only once is asked more often', () => {
  const check = peerCheck({ acceptCids: [3, 4].values(), acceptUids: [7].values() });
  for (const _ of [1, 2]) expect([check(vm(3)), check(vm(4))]).toEqual([undefined, undefined]);
});

test('a set that grows is asked anew', () => {
  const acceptCids = new Set<number>();
  const check = peerCheck({ acceptCids });
  expect(check(vm(3))).toBe('CID 3 is not accepted');
  acceptCids.add(3);
  expect(check(vm(3))).toBeUndefined();
});
