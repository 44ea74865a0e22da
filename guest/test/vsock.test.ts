import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type GuestSocket, VsockDevice } from '@vm-tools/vhost-user-vsock';
import { replugVsock } from '@vm-tools/vmm';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { bootGuest, type Guest, type GuestOptions, nativeProgram } from '../src/index.ts';
import { PatternReader, writePattern } from './pattern.ts';

/** Nothing here takes long, but on a machine that is busy with other things. */
const PATIENT = { timeout: 90_000, interval: 20 };
const MEBIBYTE = 1 << 20;

let peer: string;
let one: Guest;
let two: Guest;

async function boot(options: GuestOptions): Promise<Guest> {
  return bootGuest({ ...options, files: { '/bin/vsock-peer': peer } });
}

beforeAll(async () => {
  peer = await nativeProgram('vsock-peer');
  [one, two] = await Promise.all([boot({ cid: 3, vm: { reboot: true } }), boot({ cid: 4 })]);
});

afterAll(async () => {
  await one?.[Symbol.asyncDispose]();
  await two?.[Symbol.asyncDispose]();
});

/** Takes the guest's connections to a port until the test has ended. */
async function listen(guest: Guest, port: number, handler: (socket: GuestSocket) => void): Promise<void> {
  const listening = await guest.vsock.listen(port, handler);
  onTestFinished(() => listening[Symbol.dispose]());
}

/** Starts an echo server in the guest, or one that answers behind the end; it listens when this resolves. */
async function startEcho(guest: Guest, port: number, what: 'echo' | 'answer' = 'echo'): Promise<void> {
  const server = await guest.spawn(['vsock-peer', what, String(port)]);
  const line = await new Promise((resolve) => server.stdout.once('data', (data) => resolve(String(data))));
  expect(line).toBe('listening\n');
}

test('the guest talks to a function of the host, and each hears the end of the other', async () => {
  await listen(one, 5000, (socket) => void text(socket).then((said) => socket.end(`you said: ${said}`)));
  expect(await one.run(['vsock-peer', 'talk', '5000'], { input: 'hello' })).toBe('you said: hello');
});

test('the host talks to a program of the guest, and each hears the end of the other', async () => {
  await startEcho(one, 6000);
  const socket = await one.vsock.connect(6000);
  socket.end('hello, guest');
  expect(await text(socket)).toBe('hello, guest');
});

test('half of a connection goes on for long after the other half has ended, whoever ended it', async () => {
  const heard: string[] = [];
  await listen(one, 5050, (socket) => {
    void text(socket).then((said) => {
      heard.push(said);
      writePattern(socket, MEBIBYTE);
    });
  });
  const ofHost = new PatternReader();
  const talk = ['vsock-peer', 'talk', '5050'];
  ofHost.push((await one.exec(talk, { input: 'my last word' })).stdoutBytes);
  expect(heard).toEqual(['my last word']);
  expect(ofHost.verdict).toBe(`${MEBIBYTE} right`);

  await startEcho(one, 6050, 'answer');
  const ofGuest = new PatternReader();
  const socket = await one.vsock.connect(6050);
  socket.end(Buffer.alloc(MEBIBYTE));
  for await (const data of socket) ofGuest.push(data as Buffer);
  expect(ofGuest.verdict).toBe(`${MEBIBYTE} right`);
});

test('what nobody listens on is refused, both ways', async () => {
  expect(await one.exec(['vsock-peer', 'talk', '5999'])).toMatchObject({
    status: 1,
    stderr: 'connect: ECONNRESET\n',
  });
  await expect(one.vsock.connect(6999)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('two guests reach neither each other nor the services of the other', async () => {
  for (const [guest, name] of [
    [one, 'one'],
    [two, 'two'],
  ] as const)
    await listen(guest, 5100, (socket) => socket.end(`${name}: CID ${socket.guest.cid}`));
  await listen(one, 5101, (socket) => socket.end('for guest one'));
  const [first, second] = await Promise.all(
    [one, two].map((guest) => guest.run(['vsock-peer', 'talk', '5100'])),
  );
  expect([first, second]).toEqual(['one: CID 3', 'two: CID 4']);
  expect((await two.exec(['vsock-peer', 'talk', '5101'])).status).toBe(1);
  await startEcho(two, 6100);
  await expect(one.vsock.connect(6100)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  const socket = await two.vsock.connect(6100);
  socket.end('x');
  expect(await text(socket)).toBe('x');
});

test('a thousand connections are open at once', async () => {
  const sockets = new Set<GuestSocket>();
  await listen(one, 5200, (socket) => {
    sockets.add(socket.on('close', () => sockets.delete(socket)));
    socket.once('data', (data) => socket.write(data));
    socket.on('end', () => socket.end());
  });
  const { stdout } = await one.exec(['vsock-peer', 'many', '5200', '1000'], { timeoutMs: 110_000 });
  expect(stdout).toBe('1000\n');
  await vi.waitUntil(() => sockets.size === 0, PATIENT);
});

test('256 MiB each way at the same time arrive as they were sent', async () => {
  const bytes = 256 * MEBIBYTE;
  const received: string[] = [];
  let count = 0;
  await listen(one, 5300, (socket) => {
    // The first is the one that the guest sends on.
    if (count++ > 0) writePattern(socket, bytes);
    else {
      const reader = new PatternReader();
      socket.on('data', (data) => reader.push(data));
      socket.on('end', () => {
        received.push(reader.verdict);
        socket.end();
      });
    }
  });
  const exchanged = await one.exec(['vsock-peer', 'exchange', '5300', String(bytes)], { timeoutMs: 110_000 });
  expect(exchanged).toMatchObject({ status: 0, stdout: `${bytes} right\n` });
  expect(received).toEqual([`${bytes} right`]);
});

test('a reader that is slow stalls its own connection and no other', async () => {
  const slow: GuestSocket[] = [];
  await listen(one, 5400, (socket) => void slow.push(socket.pause()));
  await listen(one, 5401, (socket) => socket.end('quick'));
  const bytes = 4 * MEBIBYTE;
  const sending = one.exec(['vsock-peer', 'send', '5400', String(bytes)]);
  await vi.waitUntil(() => slow.length === 1, PATIENT);
  for (let round = 0; round < 5; round++) expect(await one.run(['vsock-peer', 'talk', '5401'])).toBe('quick');
  const [socket] = slow as [GuestSocket];
  const reader = new PatternReader();
  socket.on('data', (data) => reader.push(data)).resume();
  expect((await sending).status).toBe(0);
  await vi.waitUntil(() => reader.verdict === `${bytes} right`, PATIENT);
  socket.destroy();
});

test('a reboot of the guest ends its connections and no listener of the host', async () => {
  const held: string[] = [];
  await listen(one, 5500, (socket) => {
    held.push('open');
    socket.on('end', () => held.push('ended') && socket.end()).resume();
  });
  await listen(one, 5501, (socket) => socket.end('again'));
  await one.spawn(['vsock-peer', 'hold', '5500']);
  await vi.waitUntil(() => held.length === 1, PATIENT);
  await one.spawn(['reboot', '-f']);
  await vi.waitUntil(() => held.length === 2, PATIENT);
  await expect(one.vsock.connect(6000)).rejects.toMatchObject({ name: 'GuestConnectError' });
  // The agent of the new boot answers on the port of the old one.
  const seen = await vi.waitFor(() => one.run(['vsock-peer', 'talk', '5501'], { timeoutMs: 5000 }), PATIENT);
  expect(seen).toBe('again');
});

describe('a backend that dies', () => {
  test('is replaced: listeners of the guest live on, its old connections get ECONNRESET', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vm-tools-replug-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const socket = join(folder, 'vmm.sock');
    const first = new VsockDevice({ guestCid: 5 });
    onTestFinished(() => first.close());
    await first.attach(socket);
    await using guest = await boot({ machine: 'q35', vm: { vsock: { socket } } });
    await startEcho(guest, 6000);
    let isHeld = false;
    await first.listen(5000, () => {
      isHeld = true;
    });
    const holding = guest.exec(['vsock-peer', 'hold', '5000'], { timeoutMs: 110_000 });
    await vi.waitUntil(() => isHeld, PATIENT);
    // As if its process had died: the connection is cut, and nobody listens any more.
    await first.close();

    await using second = new VsockDevice({ guestCid: 5 });
    await second.attach(socket);
    await replugVsock(guest.vm, { socket });
    expect((await holding).stdout).toBe('open\nECONNRESET\n');
    const echo = await vi.waitFor(() => second.connect(6000), PATIENT);
    echo.end('still here');
    expect(await text(echo)).toBe('still here');
    await expect(replugVsock(one.vm, { socket })).rejects.toThrow(/QMP device_del/);
  });
});
