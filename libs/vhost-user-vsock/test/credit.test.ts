import { expect, test } from 'vitest';
import { LARGE_BUFFER, SMALL_BUFFER } from '../src/packets/connection.ts';
import { HEADER_BYTES, Operation } from '../src/packets/header.ts';
import { CoreUnderTest } from './core-under-test.ts';

const address = { guestPort: 1000, hostPort: 80 };
const chunk = (bytes: number, fill = 'x') => Buffer.alloc(bytes, fill);

/** The guest sends without the program's reading, until the socket is full and so is the connection's buffer. */
function sendUntilFull(under: CoreUnderTest): {
  sent: number;
  last: { bufferSize: number; forwarded: number };
} {
  let sent = 0;
  let last = { bufferSize: SMALL_BUFFER, forwarded: 0 };
  for (;;) {
    const room = last.bufferSize - (sent - last.forwarded);
    if (room === 0) break;
    const bytes = Math.min(room, 16 << 10);
    under.guest.offerBuffers(2);
    under.guest.send({ ...address, operation: Operation.data, data: chunk(bytes) });
    sent += bytes;
    for (const packet of under.guest.receive()) last = packet;
    // What has not been told yet.
    under.guest.send({ ...address, operation: Operation.creditRequest });
    for (const packet of under.guest.receive()) last = packet;
  }
  return { sent, last };
}

test('the guest hears of what was taken when it is half of the buffer, and no sooner', async () => {
  using under = new CoreUnderTest();
  await under.connect();
  under.guest.offerBuffers(8);
  under.guest.send({ ...address, operation: Operation.data, data: chunk(SMALL_BUFFER / 2 - 1) });
  expect(under.guest.receive()).toEqual([]);
  under.guest.send({ ...address, operation: Operation.data, data: chunk(1) });
  expect(under.guest.receive()).toMatchObject([
    { operation: Operation.creditUpdate, forwarded: SMALL_BUFFER / 2, bufferSize: SMALL_BUFFER },
  ]);
});

test('a guest that buffers less than the device hears of what was taken when it is half of that', async () => {
  using under = new CoreUnderTest();
  await under.connect();
  under.guest.offerBuffers(8);
  const packet = { ...address, operation: Operation.data, bufferSize: 16 << 10 };
  under.guest.send({ ...packet, data: chunk((8 << 10) - 1) });
  expect(under.guest.receive()).toEqual([]);
  under.guest.send({ ...packet, data: chunk(1) });
  expect(under.guest.receive()).toMatchObject([
    { operation: Operation.creditUpdate, forwarded: 8 << 10, bufferSize: SMALL_BUFFER },
  ]);
});

test('the guest hears of what was taken with any packet, and when it asks', async () => {
  using under = new CoreUnderTest();
  const fd = await under.connect();
  under.guest.offerBuffers(8);
  under.guest.send({ ...address, operation: Operation.data, data: chunk(10) });
  under.write(fd, 'x');
  under.guest.send({ ...address, operation: Operation.data, data: chunk(5) });
  under.guest.send({ ...address, operation: Operation.creditRequest });
  expect(under.guest.receive()).toMatchObject([
    { operation: Operation.data, forwarded: 10 },
    { operation: Operation.creditUpdate, forwarded: 15 },
  ]);
});

test('a connection that moves much gets a larger buffer, and the guest is told at once', async () => {
  using under = new CoreUnderTest();
  const fd = await under.connect();
  under.guest.offerBuffers(8);
  for (let round = 0; round < 2; round++) {
    under.guest.send({ ...address, operation: Operation.data, data: chunk(SMALL_BUFFER / 2) });
    under.read(fd);
  }
  expect(under.guest.receive().at(-1)).toMatchObject({
    operation: Operation.creditUpdate,
    bufferSize: LARGE_BUFFER,
  });
});

test('what a program does not read counts as not taken, stalls its connection and no other', async () => {
  using under = new CoreUnderTest({ ringSize: 64 });
  const slow = await under.connect();
  const { sent, last } = sendUntilFull(under);
  expect(sent - last.forwarded).toBe(last.bufferSize);
  const other = await under.connect(2000, 81);
  under.guest.send({ guestPort: 2000, hostPort: 81, operation: Operation.data, data: Buffer.from('quick') });
  expect(under.read(other).data.toString()).toBe('quick');
  // As it reads, all of it comes, and the guest hears that there is room again.
  under.guest.offerBuffers(8);
  let received = 0;
  while (received < sent) received += under.read(slow).data.length;
  expect(under.guest.receive().at(-1)).toMatchObject({ operation: Operation.creditUpdate });
  under.guest.send({ ...address, operation: Operation.creditRequest });
  expect(under.guest.receive().at(-1)).toMatchObject({ forwarded: sent });
});

test('a guest that sends more than it may is reset', async () => {
  using under = new CoreUnderTest({ ringSize: 64 });
  const fd = await under.connect();
  sendUntilFull(under);
  under.guest.offerBuffers(2);
  under.guest.send({ ...address, operation: Operation.data, data: chunk(1) });
  expect(under.guest.receive().map(({ operation }) => operation)).toEqual([Operation.reset]);
  expect(under.core.connections).toBe(0);
  under.hangUp(fd);
});

test('the guest gets no more than it says it can hold, and is asked when that is nothing', async () => {
  using under = new CoreUnderTest();
  const fd = await under.connect(1000, 80, 5);
  under.guest.offerBuffers(8);
  under.write(fd, 'hello, guest');
  expect(under.guest.receive().map(({ operation, data }) => [operation, data.toString()])).toEqual([
    [Operation.data, 'hello'],
    [Operation.creditRequest, ''],
  ]);
  under.write(fd, '!');
  expect(under.guest.receive()).toEqual([]);
  under.guest.send({ ...address, operation: Operation.creditUpdate, bufferSize: 5, forwarded: 5 });
  expect(under.guest.receive()[0]?.data.toString()).toBe(', gue');
  under.guest.send({ ...address, operation: Operation.creditUpdate, bufferSize: 100, forwarded: 10 });
  expect(under.guest.receive()[0]?.data.toString()).toBe('st!');
});

test('counters of 32 bits wrap', async () => {
  using under = new CoreUnderTest();
  const fd = await under.connect(1000, 80, 16);
  under.guest.offerBuffers(12);
  // A guest that says it has taken more than it was sent is near the wrap from the other side.
  const from = 0xffff_fff0;
  under.guest.send({ ...address, operation: Operation.creditUpdate, bufferSize: 32, forwarded: from });
  under.write(fd, chunk(100, 'y'));
  expect(under.guest.receive()[0]?.length).toBe(16);
  under.guest.send({ ...address, operation: Operation.creditUpdate, bufferSize: 32, forwarded: 16 });
  expect(under.guest.receive()[0]?.length).toBe(32);
});

test('data wait for buffers of the guest, and fill several at once', async () => {
  using under = new CoreUnderTest();
  const fd = await under.connect();
  const sent = Buffer.from(Array.from({ length: 50 }, (_, index) => index));
  under.write(fd, sent);
  expect(under.guest.receive()).toEqual([]);
  under.guest.offerBuffers(1, HEADER_BYTES + 20);
  under.guest.kick(under.guest.rx);
  under.guest.offerBuffers(8, HEADER_BYTES + 10);
  under.guest.kick(under.guest.rx);
  const packets = under.guest.receive();
  expect(packets.map(({ length }) => length)).toEqual([20, 10, 10, 10]);
  expect(Buffer.concat(packets.map(({ data }) => data))).toEqual(sent);
});
