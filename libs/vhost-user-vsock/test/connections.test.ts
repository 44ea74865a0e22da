import { expect, test, vi } from 'vitest';
import { Operation } from '../src/packets/header.ts';
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

test.each([
  ['of another guest', { sourceCid: 4 }],
  ['of the host', { sourceCid: 2 }],
  ['of more than 32 bits', { sourceCid: 2 ** 32 + 3 }],
])('a packet that says it comes from the CID %s is dropped without an answer', (_, forged) => {
  using under = new CoreUnderTest();
  under.core.listen(80);
  under.guest.offerBuffers(4);
  under.guest.send({ ...address, operation: Operation.request, ...forged });
  expect(under.guest.receive()).toEqual([]);
  expect(under.core.connections).toBe(0);
});

test.each<[string, { destinationCid?: number; type?: number }]>([
  ['another CID', { destinationCid: 4 }],
  ['the hypervisor', { destinationCid: 0 }],
  ['a kind of socket that there is not', { type: 2 }],
])('a request to %s is answered with a reset from there', (_, request) => {
  using under = new CoreUnderTest();
  under.core.listen(80);
  under.guest.offerBuffers(4);
  under.guest.send({ ...address, operation: Operation.request, ...request });
  const [answer, ...more] = under.guest.receive();
  expect(answer).toMatchObject({
    operation: Operation.reset,
    sourceCid: request.destinationCid ?? 2,
    destinationCid: 3,
    type: request.type ?? 1,
  });
  expect(more).toEqual([]);
});

test('what belongs to no connection is answered with a reset, but a reset with nothing', () => {
  using under = new CoreUnderTest();
  under.guest.offerBuffers(8);
  for (const operation of Object.values(Operation)) under.guest.send({ ...address, operation });
  expect(under.guest.receive().map(({ operation }) => operation)).toEqual(
    Array(Object.values(Operation).length - 1).fill(Operation.reset),
  );
});

test.each([
  ['a second request', { operation: Operation.request }],
  ['an answer to nothing', { operation: Operation.response }],
  ['what is no operation', { operation: 99 }],
  ['data after its end', { operation: Operation.data, data: data('x') }],
])('%s resets the connection', async (_, packet) => {
  using under = new CoreUnderTest();
  const fd = await under.connect();
  under.guest.offerBuffers(4);
  under.guest.send({ ...address, operation: Operation.shutdown, flags: 2 });
  under.guest.send({ ...address, ...packet });
  expect(under.guest.receive().map(({ operation }) => operation)).toEqual([Operation.reset]);
  expect(under.read(fd).end).toBe(true);
});

test('connections beyond the number allowed are refused, and allowed again when others end', async () => {
  using under = new CoreUnderTest({ maxConnections: 2 });
  const first = await under.connect(1);
  await under.connect(2);
  under.guest.offerBuffers(6);
  under.guest.send({ ...address, operation: Operation.request });
  expect(under.guest.receive().map(({ operation }) => operation)).toEqual([Operation.reset]);
  under.core.connect(7, 5000, 1000);
  expect(await under.events('failed')).toEqual([[7, 'EMFILE']]);
  under.guest.send({ guestPort: 1, hostPort: 80, operation: Operation.reset });
  expect(under.read(first).end).toBe(true);
  under.guest.send({ ...address, operation: Operation.request });
  expect(under.guest.receive().map(({ operation }) => operation)).toEqual([Operation.response]);
  for (const [, fd] of (await under.events('accepted')).slice(2)) under.keep(fd);
});

test('while the guest takes no answers, no more packets are taken that need one', () => {
  using under = new CoreUnderTest({ ringSize: 512 });
  for (let port = 0; port < 400; port++)
    under.guest.queue({ operation: Operation.request, guestPort: port, hostPort: 9 });
  under.guest.kick(under.guest.tx);
  for (let turn = 0; turn < 20; turn++) under.core.poll();
  expect(under.guest.tx.takeUsed().length).toBeLessThan(400);
  under.guest.offerBuffers(400);
  under.guest.kick(under.guest.rx);
  for (let turn = 0; turn < 20; turn++) under.core.poll();
  expect(under.guest.receive().map(({ destinationPort }) => destinationPort)).toEqual(
    Array.from({ length: 400 }, (_, port) => port),
  );
});

test('the program asks the guest, which accepts', async () => {
  using under = new CoreUnderTest();
  under.guest.offerBuffers(4);
  under.core.connect(1, 5000, 10_000);
  const [request] = under.guest.receive();
  expect(request).toMatchObject({
    operation: Operation.request,
    sourceCid: 2,
    destinationCid: 3,
    destinationPort: 5000,
  });
  const asked = { guestPort: 5000, hostPort: request?.sourcePort as number };
  expect(await under.events('connected')).toEqual([]);
  under.guest.send({ ...asked, operation: Operation.response });
  const [[id, fd, hostPort] = []] = await under.events('connected');
  expect([id, hostPort]).toEqual([1, asked.hostPort]);
  under.keep(fd as number);
  under.write(fd as number, 'hello');
  expect(under.guest.receive().map((packet) => packet.data.toString())).toEqual(['hello']);
});

test.each([
  [
    'refuses',
    (under: CoreUnderTest, hostPort: number) =>
      under.guest.send({ guestPort: 5000, hostPort, operation: Operation.reset }),
    'ECONNREFUSED',
  ],
  ['is reset', (under: CoreUnderTest) => under.guest.stopRing(0), 'ECONNRESET'],
  ['is not wanted any more', (under: CoreUnderTest) => under.core.cancel(1), 'ECONNRESET'],
] as const)('the program asks the guest, which %s', async (_, act, code) => {
  using under = new CoreUnderTest();
  under.guest.offerBuffers(4);
  under.core.connect(1, 5000, 10_000);
  act(under, under.guest.receive()[0]?.sourcePort as number);
  expect(await under.events('failed')).toEqual([[1, code]]);
  expect(under.core.connections).toBe(0);
});

test('the program asks a guest that does not answer, and is told so', async () => {
  using under = new CoreUnderTest();
  under.guest.offerBuffers(4);
  under.core.connect(1, 5000, 1);
  await vi.waitUntil(async () => (await under.events('failed')).length > 0, { timeout: 60_000 });
  expect(await under.events('failed')).toEqual([[1, 'ETIMEDOUT']]);
  expect(under.guest.receive().map(({ operation }) => operation)).toEqual([
    Operation.request,
    Operation.reset,
  ]);
});

test('ports of the host are not given twice while the guest may know them', async () => {
  using under = new CoreUnderTest();
  under.guest.offerBuffers(8);
  for (const id of [1, 2, 3]) under.core.connect(id, 5000, 10_000);
  const ports = under.guest.receive().map(({ sourcePort }) => sourcePort);
  expect(new Set(ports).size).toBe(3);
});

test('without a driver in the guest nobody is asked', async () => {
  using under = new CoreUnderTest({ start: false });
  under.core.connect(1, 5000, 10_000);
  expect(await under.events('failed')).toEqual([[1, 'ENODEV']]);
});
