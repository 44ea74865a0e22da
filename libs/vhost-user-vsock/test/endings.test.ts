import { constants, shutdown } from '@vm-tools/linux';
import { expect, test } from 'vitest';
import { Operation, Shutdown } from '../src/packets/header.ts';
import { CoreUnderTest } from './core-under-test.ts';

const address = { guestPort: 1000, hostPort: 80 };
const operations = (under: CoreUnderTest) =>
  under.guest.receive().map(({ operation, flags }) => (flags === 0 ? [operation] : [operation, flags]));

test('the end of the program is told after its data, and half of the connection goes on', async () => {
  using under = new CoreUnderTest();
  const fd = await under.connect();
  under.guest.offerBuffers(8);
  under.write(fd, 'last words');
  shutdown(fd, constants.SHUT_WR);
  under.core.poll();
  expect(operations(under)).toEqual([[Operation.data], [Operation.shutdown, Shutdown.send]]);
  under.guest.send({ ...address, operation: Operation.data, data: Buffer.from('still heard') });
  expect(under.read(fd).data.toString()).toBe('still heard');
  under.guest.send({ ...address, operation: Operation.shutdown, flags: Shutdown.both });
  expect(operations(under)).toEqual([[Operation.reset]]);
  expect(under.read(fd).end).toBe(true);
  expect(under.core.connections).toBe(0);
});

test('the end of half of the guest reaches the program after the data, and the other half goes on', async () => {
  using under = new CoreUnderTest();
  const fd = await under.connect();
  under.guest.offerBuffers(8);
  under.guest.send({ ...address, operation: Operation.data, data: Buffer.from('last words') });
  under.guest.send({ ...address, operation: Operation.shutdown, flags: Shutdown.send });
  expect(under.read(fd)).toEqual({ data: Buffer.from('last words'), end: true });
  under.write(fd, 'still heard');
  expect(under.guest.receive().map(({ data }) => data.toString())).toEqual(['still heard']);
  under.hangUp(fd);
  expect(operations(under)).toEqual([[Operation.shutdown, Shutdown.both]]);
  // The port stays taken until the guest agrees.
  expect(under.core.connections).toBe(1);
  under.guest.send({ ...address, operation: Operation.reset });
  expect(under.core.connections).toBe(0);
});

test('a program that goes away is told as both ends, after what it has sent', async () => {
  using under = new CoreUnderTest();
  const fd = await under.connect();
  under.guest.offerBuffers(8);
  under.write(fd, 'bye');
  under.guest.receive();
  under.hangUp(fd);
  expect(operations(under)).toEqual([[Operation.shutdown, Shutdown.both]]);
  // What the guest had sent before it heard of it.
  under.guest.send({ ...address, operation: Operation.data, data: Buffer.from('too late') });
  expect(operations(under)).toEqual([]);
  under.guest.send({ ...address, operation: Operation.shutdown, flags: Shutdown.both });
  expect(operations(under)).toEqual([[Operation.reset]]);
  expect(under.core.connections).toBe(0);
});

test('a program that goes away with data unread resets the connection', async () => {
  using under = new CoreUnderTest();
  const fd = await under.connect();
  under.guest.offerBuffers(8);
  under.guest.send({ ...address, operation: Operation.data, data: Buffer.from('unread') });
  under.hangUp(fd);
  expect(operations(under)).toEqual([[Operation.reset]]);
  expect(under.core.connections).toBe(0);
});

test('a program that reads no more is told, and what it writes still comes', async () => {
  using under = new CoreUnderTest();
  const fd = await under.connect();
  under.guest.offerBuffers(8);
  shutdown(fd, constants.SHUT_RD);
  under.guest.send({ ...address, operation: Operation.data, data: Buffer.from('to nobody') });
  expect(operations(under)).toEqual([[Operation.shutdown, Shutdown.receive]]);
  under.write(fd, 'heard');
  expect(under.guest.receive().map(({ data }) => data.toString())).toEqual(['heard']);
});

test('a guest that receives no more makes the program fail that writes', async () => {
  using under = new CoreUnderTest();
  const fd = await under.connect();
  under.guest.send({ ...address, operation: Operation.shutdown, flags: Shutdown.receive });
  expect(under.write(fd, 'x')).toBeLessThan(0);
  under.guest.send({ ...address, operation: Operation.data, data: Buffer.from('still sent') });
  expect(under.read(fd)).toEqual({ data: Buffer.from('still sent'), end: false });
});

test('a guest that closes for good gets its reset when all that it has sent is delivered, not before', async () => {
  using under = new CoreUnderTest({ ringSize: 64 });
  const fd = await under.connect();
  under.guest.offerBuffers(16);
  const sent = Buffer.alloc(64 << 10, 'x');
  // More than the socket holds; the credit for it comes as it is read.
  let received = 0;
  let total = 0;
  for (let round = 0; round < 9; round++) {
    under.guest.send({ ...address, operation: Operation.data, data: sent });
    total += sent.length;
    if (round < 3) received += under.read(fd).data.length;
  }
  under.guest.receive();
  under.guest.send({ ...address, operation: Operation.shutdown, flags: Shutdown.both });
  expect(operations(under)).toEqual([]);
  const rest = under.read(fd);
  received += rest.data.length;
  for (let end = rest.end; !end; ) {
    const more = under.read(fd);
    received += more.data.length;
    end = more.end;
  }
  expect(received).toBe(total);
  expect(operations(under).at(-1)).toEqual([Operation.reset]);
  expect(under.core.connections).toBe(0);
});

test('a reset by the guest closes the socket', async () => {
  using under = new CoreUnderTest();
  const fd = await under.connect();
  under.guest.send({ ...address, operation: Operation.reset });
  expect(under.read(fd).end).toBe(true);
  expect(under.core.connections).toBe(0);
});
