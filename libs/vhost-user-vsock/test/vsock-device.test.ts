import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { close } from '@vm-tools/linux';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type GuestSocket, VsockDevice } from '../src/index.ts';
import { Operation } from '../src/packets/header.ts';
import { openDescriptors } from './core-under-test.ts';
import { GuestDriver, type Packet } from './guest-driver.ts';

/** Nothing here takes long, but on a machine that is busy with other things. */
const PATIENT = { timeout: 60_000 };

function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vm-tools-vsock-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function listenAt(path: string, onConnection: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, onConnection).listen(path);
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return server;
}

type Received = ReturnType<GuestDriver['receive']>[number];

/** The guest's driver, whose device works on its own time: on the event loop, or on its thread. */
class RunningGuest implements AsyncDisposable {
  readonly device: VsockDevice;
  readonly driver: GuestDriver;
  readonly #received: Received[] = [];

  private constructor(device: VsockDevice, driver: GuestDriver) {
    this.device = device;
    this.driver = driver;
  }

  static async boot(
    options: { readonly thread?: boolean; readonly guestCid?: number } = {},
  ): Promise<RunningGuest> {
    const { guestCid = 3 } = options;
    const device = new VsockDevice({ ...options, guestCid });
    const driver = new GuestDriver({ guestCid, ringSize: 64, poll: () => undefined });
    await device.attach(driver.frontEnd.deviceEnd);
    driver.begin();
    await vi.waitUntil(() => driver.frontEnd.receive(), PATIENT);
    return new RunningGuest(device, driver);
  }

  send(packet: Packet): void {
    this.driver.send(packet);
  }

  /** The next packet that has come. */
  async next(): Promise<Received> {
    this.driver.offerBuffers(1);
    this.driver.kick(this.driver.rx);
    return vi.waitUntil(
      () => {
        this.#received.push(...this.driver.receive());
        return this.#received.shift();
      },
      { ...PATIENT, interval: 1 },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.device.close();
    this.driver[Symbol.dispose]();
  }
}

describe.each([
  ['on the calling thread', false],
  ['on a thread of its own', true],
])('%s', (_, thread) => {
  test('the guest and a function talk', async () => {
    await using guest = await RunningGuest.boot({ thread });
    const accepted = Promise.withResolvers<GuestSocket>();
    using _listening = await guest.device.listen(80, accepted.resolve);
    guest.send({ operation: Operation.request, guestPort: 1000, hostPort: 80 });
    expect((await guest.next()).operation).toBe(Operation.response);
    const socket = await accepted.promise;
    expect(socket.guest).toEqual({ cid: 3, port: 1000 });
    socket.write('hello');
    expect((await guest.next()).data.toString()).toBe('hello');
    guest.send({ operation: Operation.data, guestPort: 1000, hostPort: 80, data: Buffer.from('hi') });
    guest.send({ operation: Operation.shutdown, guestPort: 1000, hostPort: 80, flags: 2 });
    expect(await text(socket)).toBe('hi');
    // Half of it is open yet.
    socket.end('bye');
    expect((await guest.next()).data.toString()).toBe('bye');
    expect(await guest.next()).toMatchObject({ operation: Operation.shutdown });
  });

  test('a function connects to the guest, or is refused', async () => {
    await using guest = await RunningGuest.boot({ thread });
    const connecting = guest.device.connect(5000);
    const { sourcePort } = await guest.next();
    guest.send({ operation: Operation.response, guestPort: 5000, hostPort: sourcePort });
    const socket = await connecting;
    socket.end('hello');
    expect((await guest.next()).data.toString()).toBe('hello');
    const refused = guest.device.connect(5001);
    const request = await guest.next();
    guest.send({ operation: Operation.reset, guestPort: 5001, hostPort: request.sourcePort });
    await expect(refused).rejects.toMatchObject({
      name: 'GuestConnectError',
      code: 'ECONNREFUSED',
      cid: 3,
      port: 5001,
    });
    socket.destroy();
  });

  test('a connection that is not wanted any more is given up', async () => {
    await using guest = await RunningGuest.boot({ thread });
    const abort = new AbortController();
    const connecting = guest.device.connect(5000, { signal: abort.signal });
    expect((await guest.next()).operation).toBe(Operation.request);
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(connecting).rejects.toBe(reason);
    expect((await guest.next()).operation).toBe(Operation.reset);
    await expect(guest.device.connect(5000, { signal: abort.signal })).rejects.toBe(reason);
    await expect(guest.device.connect(5000, { timeoutMs: 1 })).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  });

  test('other programs reach the guest, and it reaches them, by the hybrid convention', async () => {
    await using guest = await RunningGuest.boot({ thread });
    const path = join(scratchFolder(), 'vm.sock');
    await guest.device.serve(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const client = connect({ path, allowHalfOpen: true });
    client.write('CONN');
    client.write('ECT 5000\nwith what follows');
    const { sourcePort } = await guest.next();
    guest.send({ operation: Operation.response, guestPort: 5000, hostPort: sourcePort });
    expect((await guest.next()).data.toString()).toBe('with what follows');
    expect(String((await once(client, 'data'))[0])).toBe(`OK ${sourcePort}\n`);
    client.destroy();
    expect((await guest.next()).operation).toBe(Operation.shutdown);

    await listenAt(`${path}_80`, (socket) => socket.end('greetings'));
    guest.send({ operation: Operation.request, guestPort: 1000, hostPort: 80 });
    expect((await guest.next()).operation).toBe(Operation.response);
    expect((await guest.next()).data.toString()).toBe('greetings');
    guest.send({ operation: Operation.request, guestPort: 1000, hostPort: 81 });
    while ((await guest.next()).operation !== Operation.reset);
    await guest.device.close();
    expect(existsSync(path)).toBe(false);
  });

  test.each([
    ['what is no request', 'GET / HTTP/1.1\r\n'],
    ['a line that is too long', `CONNECT ${'0'.repeat(40)}`],
    ['a port that there is not', 'CONNECT 4294967295\n'],
    ['no more than half a line', null],
    ['a port that the guest refuses', 'CONNECT 5000\n'],
  ])('a client of the hybrid socket that says %s sees the end', async (_what, line) => {
    await using guest = await RunningGuest.boot({ thread });
    const path = join(scratchFolder(), 'vm.sock');
    await guest.device.serve(path);
    const client = connect(path);
    if (line === null) client.end('CONNECT 50');
    else client.write(line);
    const ended = text(client);
    if (line === 'CONNECT 5000\n') {
      const { sourcePort } = await guest.next();
      guest.send({ operation: Operation.reset, guestPort: 5000, hostPort: sourcePort });
    }
    expect(await ended).toBe('');
  });

  test('closing leaves no descriptor, and ends what is asked for', async () => {
    const before = openDescriptors();
    {
      await using guest = await RunningGuest.boot({ thread });
      await guest.device.serve(join(scratchFolder(), 'vm.sock'));
      const connecting = guest.device.connect(5000);
      await guest.next();
      const failed = expect(connecting).rejects.toMatchObject({ name: 'GuestConnectError' });
      await guest.device.close();
      await failed;
      await expect(guest.device.connect(5000)).rejects.toMatchObject({ code: 'ERR_DEVICE_CLOSED' });
      await expect(guest.device.attach('/nowhere')).rejects.toMatchObject({ code: 'ERR_DEVICE_CLOSED' });
    }
    await vi.waitUntil(() => openDescriptors() <= before, PATIENT);
  });

  test('a VMM connects to a path, and another when it has gone', async () => {
    const path = join(scratchFolder(), 'vmm.sock');
    await using device = new VsockDevice({ guestCid: 3, thread });
    const events: string[] = [];
    device.on('attached', () => events.push('attached'));
    device.on('detached', (error) => events.push(error ? error.message : 'detached'));
    await device.attach(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const first = connect(path);
    await once(first, 'connect');
    const second = connect(path);
    second.write(Buffer.from(Uint32Array.of(99, 1, 0).buffer));
    await vi.waitUntil(() => device.isAttached, PATIENT);
    first.destroy();
    await once(second, 'close');
    await vi.waitUntil(() => events.length === 4, PATIENT);
    expect(events).toEqual(['attached', 'detached', 'attached', 'vhost-user: message 99 is not known']);
    expect(device.isAttached).toBe(false);
  });

  test('a path where someone listens, or something else is, is left alone', async () => {
    const path = join(scratchFolder(), 'taken');
    writeFileSync(path, 'precious');
    await using device = new VsockDevice({ guestCid: 3, thread });
    await expect(device.serve(path)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(readFileSync(path, 'utf8')).toBe('precious');
    await listenAt(`${path}.sock`, () => undefined);
    await expect(device.attach(`${path}.sock`)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

test('two devices in one process know nothing of each other', async () => {
  await using one = await RunningGuest.boot({ guestCid: 3 });
  await using two = await RunningGuest.boot({ guestCid: 4 });
  using _listening = await one.device.listen(80, (socket) => socket.end('one'));
  two.send({ operation: Operation.request, guestPort: 1000, hostPort: 80 });
  expect((await two.next()).operation).toBe(Operation.reset);
  one.send({ operation: Operation.request, guestPort: 1000, hostPort: 80, destinationCid: 4 });
  expect(await one.next()).toMatchObject({ operation: Operation.reset, sourceCid: 4 });
});

test('a thread of its own serves while the main thread is busy', async () => {
  await using guest = await RunningGuest.boot({ thread: true });
  const folder = scratchFolder();
  await guest.device.serve(join(folder, 'vm.sock'));
  guest.driver.offerBuffers(1);
  guest.send({ operation: Operation.request, guestPort: 1000, hostPort: 80 });
  const until = performance.now() + 60_000;
  let packets: unknown[] = [];
  // No turn of this event loop is needed for it.
  while (packets.length === 0 && performance.now() < until) packets = guest.driver.receive();
  expect(packets).toMatchObject([{ operation: Operation.reset }]);
});

test('a backlog that is full is waited for', async () => {
  await using guest = await RunningGuest.boot();
  const path = join(scratchFolder(), 'program');
  const accepted: Socket[] = [];
  const server = createServer((socket) => accepted.push(socket)).listen({ path, backlog: 0 });
  onTestFinished(() => {
    server.close();
    for (const socket of accepted) socket.destroy();
  });
  await once(server, 'listening');
  using _listening = await guest.device.listen(80, { path });
  for (let port = 1; port <= 20; port++)
    guest.send({ operation: Operation.request, guestPort: port, hostPort: 80 });
  const answers = new Set<number>();
  for (let port = 1; port <= 20; port++) {
    const answer = await guest.next();
    expect(answer.operation).toBe(Operation.response);
    answers.add(answer.destinationPort);
  }
  expect(answers.size).toBe(20);
});

test('a slow reader stalls its own connection, and all arrives', async () => {
  await using guest = await RunningGuest.boot();
  const sockets: GuestSocket[] = [];
  using _listening = await guest.device.listen(80, (socket) => sockets.push(socket.pause()));
  guest.send({ operation: Operation.request, guestPort: 1000, hostPort: 80 });
  await guest.next();
  const half = Buffer.alloc(32 << 10, 'x');
  guest.send({ operation: Operation.data, guestPort: 1000, hostPort: 80, data: half });
  guest.send({ operation: Operation.data, guestPort: 1000, hostPort: 80, data: half });
  guest.send({ operation: Operation.shutdown, guestPort: 1000, hostPort: 80, flags: 2 });
  await vi.waitUntil(() => sockets.length === 1, PATIENT);
  expect((await text(sockets[0] as GuestSocket)).length).toBe(64 << 10);
  sockets[0]?.destroy();
});

test('options and ports are checked', async () => {
  for (const guestCid of [2, 0, -1, 3.5, 2 ** 32 - 1])
    expect(() => new VsockDevice({ guestCid })).toThrow(RangeError);
  await using device = new VsockDevice({ guestCid: 3 });
  await expect(device.listen(-1, () => undefined)).rejects.toThrow(RangeError);
  await expect(device.connect(2 ** 32)).rejects.toThrow(RangeError);
  const listening = await device.listen(80, () => undefined);
  await expect(device.listen(80, () => undefined)).rejects.toMatchObject({ code: 'ERR_PORT_IN_USE' });
  listening[Symbol.dispose]();
  using _again = await device.listen(80, { path: '/nowhere' });
  listening[Symbol.dispose]();
  await expect(device.listen(80, () => undefined)).rejects.toThrow(
    'port 80 of the device is listened on already',
  );
});

test('QEMU gets its end at the descriptor that its arguments name', async () => {
  await using device = new VsockDevice({ guestCid: 3 });
  const launch = await device.spawnOptions({ machine: 'microvm', memory: '1G', at: 5 });
  expect(launch.args.join(' ')).toMatchInlineSnapshot(
    `"-M microvm,memory-backend=vsock-memory -m 1G -object memory-backend-memfd,id=vsock-memory,size=1G,share=on -global virtio-mmio.force-legacy=false -chardev socket,id=vsock,fd=5 -device vhost-user-vsock-device,chardev=vsock"`,
  );
  expect(launch.stdio.slice(0, 5)).toEqual(['ignore', 'inherit', 'inherit', 'ignore', 'ignore']);
  const fd = launch.stdio[5] as number;
  expect(close(fd)).toBe(0);
  await vi.waitUntil(() => !device.isAttached, PATIENT);
});
