import { readFileSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { Operation } from '../src/packets/header.ts';
import { Request } from '../src/vhost-user/messages.ts';
import { CoreUnderTest, openDescriptors } from './core-under-test.ts';
import { u32, u64 } from './front-end.ts';
import { ALL_FEATURES, REGIONS } from './guest-driver.ts';

const address = { guestPort: 1000, hostPort: 80 };

test('the VMM is told what the device can do', () => {
  using under = new CoreUnderTest({ start: false, guestCid: 77 });
  const ask = (request: number, payload = new Uint8Array()) =>
    under.guest.frontEnd.ask(request, payload, () => under.core.poll());
  expect(ask(Request.getFeatures).readBigUInt64LE()).toBe(ALL_FEATURES);
  expect(ask(Request.getProtocolFeatures).readBigUInt64LE()).toBe(
    (1n << 0n) | (1n << 3n) | (1n << 9n) | (1n << 15n),
  );
  expect(ask(Request.getQueueNum).readBigUInt64LE()).toBe(2n);
  expect(ask(Request.getMaxMemSlots).readBigUInt64LE()).toBe(256n);
  const config = ask(Request.getConfig, Buffer.concat([u32(0, 8, 0), new Uint8Array(8)]));
  expect([...config]).toEqual([...u32(0, 8, 0), ...u64(77)]);
});

test('a message may come in pieces, and several at once', () => {
  using under = new CoreUnderTest({ start: false });
  const { frontEnd } = under.guest;
  const message = Buffer.from(u32(Request.getQueueNum, 1, 0));
  for (const piece of [message.subarray(0, 5), message.subarray(5)]) {
    frontEnd.sendBytes(piece);
    under.core.poll();
  }
  expect(frontEnd.receive()?.length).toBe(20);
  frontEnd.sendBytes(Buffer.concat([message, message, message]));
  under.core.poll();
  expect(frontEnd.receive()?.length).toBe(60);
});

describe('the VMM is hung up on, and it is said why, when', () => {
  test.each<[string, (under: CoreUnderTest) => void, RegExp]>([
    [
      'a message is of another version',
      (u) => u.guest.frontEnd.sendBytes(u32(1, 2, 0)),
      /message 1 is of version 2, not 1/,
    ],
    [
      'a message is too long',
      (u) => u.guest.frontEnd.sendBytes(u32(1, 1, 4097)),
      /says that it has 4097 bytes/,
    ],
    [
      'a message is not known',
      (u) => u.guest.frontEnd.send({ request: 99, payload: u32(0) }),
      /message 99 is not known/,
    ],
    [
      'a message is too short',
      (u) => u.guest.frontEnd.send({ request: Request.setFeatures, payload: u32(0) }),
      /has only 4 bytes/,
    ],
    [
      'features are wanted that are not there',
      (u) => u.guest.frontEnd.send({ request: Request.setFeatures, payload: u64(1n << 33n) }),
      /features 0x200000000 are wanted/,
    ],
    [
      'protocol features likewise',
      (u) => u.guest.frontEnd.send({ request: Request.setProtocolFeatures, payload: u64(2) }),
      /protocol features 0x2 are wanted/,
    ],
    [
      'there is no such ring',
      (u) => u.guest.frontEnd.send({ request: Request.setVringNum, payload: u32(2, 8) }),
      /about ring 2, of 2/,
    ],
    [
      'an eventfd is missing',
      (u) => u.guest.frontEnd.send({ request: Request.setVringKick, payload: u64(0) }),
      /without its descriptor/,
    ],
    [
      'configuration is written',
      (u) => u.guest.frontEnd.send({ request: Request.setConfig, payload: new Uint8Array(20) }),
      /cannot be written/,
    ],
    [
      'configuration beyond its end is read',
      (u) =>
        u.guest.frontEnd.send({
          request: Request.getConfig,
          payload: Buffer.concat([u32(4, 8, 0), new Uint8Array(8)]),
        }),
      /8 bytes of configuration at 4/,
    ],
    [
      'a memory table lacks descriptors',
      (u) => u.guest.frontEnd.send({ request: Request.setMemTable, payload: u.guest.memoryTable().payload }),
      /3 regions and 0 descriptors/,
    ],
    [
      'memory lies behind the end of its file',
      (u) => memory(u, { guestAddress: 0, size: 2 ** 30, offset: 0 }),
      /is beyond the file's 3145728 bytes/,
    ],
    [
      'memory is empty',
      (u) => memory(u, { guestAddress: 0, size: 0, offset: 0 }),
      /0 bytes at guest address 0 is empty/,
    ],
    [
      'memory is not made of pages',
      (u) => memory(u, { guestAddress: 512, size: 4096, offset: 0 }),
      /is not made of pages/,
    ],
    [
      'memory lies too far',
      (u) => memory(u, { guestAddress: 2 ** 50, size: 4096, offset: 0 }),
      /ends beyond/,
    ],
    ['memory overlaps', (u) => memory(u, REGIONS[0], REGIONS[0]), /overlaps the one before/],
    [
      'a region that is not there is taken away',
      (u) =>
        u.guest.frontEnd.send({
          request: Request.remMemReg,
          ...u.guest.memoryRegion({ ...REGIONS[0], guestAddress: 4096 }),
        }),
      /no memory region at guest address 4096/,
    ],
    [
      'a ring is not in memory',
      (u) => u.guest.frontEnd.send({ request: Request.setMemTable, ...u.guest.memoryTable([REGIONS[2]]) }),
      /rx ring's descriptor table at \d+ is not in guest memory/,
    ],
    ['a ring has no power of two', (u) => restart(u, { size: 12 }), /its size is 12/],
    ['a ring is not aligned', (u) => restart(u, { offset: 8 }), /is not aligned to 16/],
  ])('%s', async (_, act, why) => {
    const before = openDescriptors();
    {
      using under = new CoreUnderTest();
      await under.connect();
      act(under);
      under.core.poll();
      expect(await under.events('detached')).toEqual([[expect.stringMatching(why)]]);
      expect(under.guest.frontEnd.receive()).toBeNull();
      expect(under.core.connections).toBe(0);
    }
    await vi.waitUntil(() => openDescriptors() <= before, { timeout: 90_000 });
  });
});

function memory(
  under: CoreUnderTest,
  ...regions: { guestAddress: number; size: number; offset: number }[]
): void {
  const table = under.guest.memoryTable(regions as unknown as (typeof REGIONS)[number][]);
  under.guest.frontEnd.send({ request: Request.setMemTable, ...table });
}

/** The rx ring anew, with one thing that is wrong. */
function restart(under: CoreUnderTest, { size = 16, offset = 0 }: { size?: number; offset?: number }): void {
  const { frontEnd, rx } = under.guest;
  under.guest.stopRing(0);
  frontEnd.send({ request: Request.setVringNum, payload: u32(0, size) });
  const user = 0x7f00_0000_0000 + offset;
  const { descriptors, used, available } = rx.at;
  const places = u64(user + descriptors, user + used, user + available, 0);
  frontEnd.send({ request: Request.setVringAddr, payload: Buffer.concat([u32(0, 0), places]) });
  frontEnd.send({ request: Request.setVringKick, payload: u64(0), descriptors: [rx.kick] });
}

test('a reset of the guest ends its connections, tells where its rings were, and lets it begin anew', async () => {
  using under = new CoreUnderTest();
  const fd = await under.connect();
  under.guest.send({ ...address, operation: Operation.data, data: Buffer.from('x') });
  expect([under.guest.stopRing(0), under.guest.stopRing(1)]).toEqual([1, 2]);
  expect(under.read(fd)).toEqual({ data: Buffer.from('x'), end: true });
  expect(under.core.connections).toBe(0);
  under.guest.rx.reset();
  under.guest.tx.reset();
  under.guest.startRings();
  await under.connect(1001);
});

test('a VMM that hangs up leaves nothing behind, and another one may come', async () => {
  const before = openDescriptors();
  using first = new CoreUnderTest();
  const fd = await first.connect();
  first.guest[Symbol.dispose]();
  first.core.poll();
  expect(await first.events('detached')).toEqual([[undefined]]);
  expect(first.read(fd).end).toBe(true);
  first.hangUp(fd);
  // What is left is the core's own: its epoll, and the watch of it.
  await vi.waitUntil(() => openDescriptors() <= before + 2, { timeout: 90_000 });
  expect(readFileSync('/proc/self/maps', 'utf8')).not.toContain('vm-tools-guest-memory');
});

test('memory comes and goes while the guest runs', async () => {
  using under = new CoreUnderTest();
  const fd = await under.connect();
  const { guest } = under;
  const ask = (request: number, region: (typeof REGIONS)[number]) => {
    guest.frontEnd.send({ request, ...guest.memoryRegion(region), needsReply: true });
    under.core.poll();
    return guest.frontEnd.receive()?.readBigUInt64LE(12);
  };
  const hello = (text: string) => {
    guest.send({ ...address, operation: Operation.data, data: Buffer.from(text) });
    return under.read(fd).data.toString();
  };
  expect(ask(Request.remMemReg, REGIONS[2])).toBe(0n);
  expect(hello('without')).toBe('without');
  expect(ask(Request.addMemReg, REGIONS[2])).toBe(0n);
  guest.bytes.fill(0x42, 3 * 2 ** 20, 3 * 2 ** 20 + 10);
  expect(hello('with')).toBe('with');
  guest.frontEnd.send({
    request: Request.setMemTable,
    ...guest.memoryTable(REGIONS.slice(0, 2)),
    needsReply: true,
  });
  under.core.poll();
  expect(guest.frontEnd.receive()?.readBigUInt64LE(12)).toBe(0n);
  expect(hello('a table')).toBe('a table');
  const maps = readFileSync('/proc/self/maps', 'utf8').split('vm-tools-guest-memory').length - 1;
  expect(maps).toBe(2 + 3); // the device's, and the test's own
});

test('a ring that is disabled is not looked at until it is enabled', async () => {
  using under = new CoreUnderTest();
  const fd = await under.connect();
  const enable = (on: number) => {
    under.guest.frontEnd.send({ request: Request.setVringEnable, payload: u32(1, on) });
    under.core.poll();
  };
  enable(0);
  under.guest.queue({ ...address, operation: Operation.data, data: Buffer.from('x') });
  under.guest.kick(under.guest.tx);
  expect(under.read(fd).data.length).toBe(0);
  enable(1);
  expect(under.read(fd).data.toString()).toBe('x');
});
