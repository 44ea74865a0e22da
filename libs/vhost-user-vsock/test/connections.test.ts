import { constants, shutdown } from '@vm-tools/linux';
import { expect, test } from 'vitest';
import { Operation, Shutdown } from '../src/packets/header.ts';
import { CoreUnderTest } from './core-under-test.ts';
import type { Layout } from './guest-driver.ts';

const address = { guestPort: 1000, hostPort: 80 };
const data = (text: string) => Buffer.from(text);

test.each<[string, Layout]>([
  ['header and data apart', 'apart'],
  ['in one buffer', 'together'],
  ['in small pieces', { pieces: [1, 43, 1, 2] }],
  ['with a header in pieces', { pieces: [20, 30] }],
  ['in an indirect table', { pieces: [44, 3], indirect: true }],
])('data of the guest reach the program: %s', async (_, layout) => {
  using under = new CoreUnderTest();
  const fd = await under.connect();
  under.guest.send({ ...address, operation: Operation.data, data: data('hello') }, layout);
  under.guest.send({ ...address, operation: Operation.data, data: data(', host') }, layout);
  expect(under.read(fd)).toEqual({ data: data('hello, host'), end: false });
});

test.each<[string, Layout]>([
  ['one buffer', 'together'],
  ['header and data apart', 'apart'],
  ['small pieces', { pieces: [1, 43, 1, 2] }],
  ['a header in pieces', { pieces: [20, 30] }],
  ['an indirect table', { pieces: [44, 3], indirect: true }],
])('data of the program reach the guest: %s', async (_, layout) => {
  using under = new CoreUnderTest({ ringSize: 64 });
  const fd = await under.connect();
  under.guest.offerBuffers(4, 44 + 4, layout);
  under.write(fd, 'hello, guest');
  const packets = under.guest.receive();
  expect(packets.map(({ operation, length }) => [operation, length])).toEqual([
    [Operation.data, 4],
    [Operation.data, 4],
    [Operation.data, 4],
  ]);
  expect(Buffer.concat(packets.map((packet) => packet.data)).toString()).toBe('hello, guest');
});

test('a port that nobody listens on is refused', () => {
  using under = new CoreUnderTest();
  under.guest.offerBuffers(1);
  under.guest.send({ ...address, operation: Operation.request });
  expect(under.guest.receive()).toMatchObject([
    { operation: Operation.reset, sourceCid: 2, destinationCid: 3, sourcePort: 80, destinationPort: 1000 },
  ]);
});

test('the end of the program is told after its data, and half of the connection goes on', async () => {
  using under = new CoreUnderTest();
  const fd = await under.connect();
  under.guest.offerBuffers(8);
  under.write(fd, 'last words');
  shutdown(fd, constants.SHUT_WR);
  under.core.poll();
  const packets = under.guest.receive();
  expect(packets.map(({ operation, flags }) => [operation, flags])).toEqual([
    [Operation.data, 0],
    [Operation.shutdown, Shutdown.send],
  ]);
  under.guest.send({ ...address, operation: Operation.data, data: data('still heard') });
  expect(under.read(fd).data.toString()).toBe('still heard');
  under.guest.send({ ...address, operation: Operation.shutdown, flags: Shutdown.both });
  expect(under.guest.receive().map(({ operation }) => operation)).toEqual([Operation.reset]);
  expect(under.read(fd).end).toBe(true);
  expect(under.core.connections).toBe(0);
});
