import { chmodSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { connect as connectNet, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import * as linux from '@vm-tools/linux';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Folder, noMoreThan, openDescriptors, until } from '../test/fake-vm.ts';
import {
  dial,
  formatAddress,
  type Listener,
  listen,
  listenDescriptors,
  makeVmDirectory,
  type Peer,
  peerOf,
  type StreamListenOptions,
  type VsockError,
  vmDirectory,
  vmSocketPath,
} from './index.ts';

const { AF_UNIX, SOCK_STREAM } = linux.constants;
const own = { kind: 'unix', pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() };
let folder: Folder;
let listeners: Listener[];

beforeEach(() => {
  folder = new Folder();
  listeners = [];
});
afterEach(async () => {
  for (const listener of listeners) await listener.close();
  await folder[Symbol.asyncDispose]();
});

async function open(
  address: string,
  options?: StreamListenOptions,
  onConnection?: (socket: Socket) => void,
): Promise<Listener> {
  const listener = await listen(address, options, onConnection);
  listeners.push(listener);
  return listener;
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => {
      throw new Error('it worked');
    },
    (error: VsockError) => error,
  );

describe('listen and dial', () => {
  it.each([
    ['unix', () => `unix:${folder.path}/s`, own],
    ['unix-abstract', () => `unix-abstract:vm-tools-${process.pid}`, own],
    ['tcp', () => 'tcp:127.0.0.1:0', { kind: 'tcp', host: '127.0.0.1' }],
  ])('%s: each end knows the other, and both directions carry', async (_, address, peer) => {
    const listener = await open(address());
    const socket = await dial(listener.address, { allowHalfOpen: true });
    const accepted = await listener.accept();
    expect(peerOf(accepted)).toMatchObject(peer);
    expect(peerOf(socket)).toMatchObject(peer);
    socket.end('question');
    expect(await text(accepted)).toBe('question');
    const second = await dial(formatAddress(listener.address));
    (await listener.accept()).end('answer');
    expect(await text(second)).toBe('answer');
    socket.destroy();
  });

  it('hybrid: a guest finds who listens at PATH_PORT', async () => {
    const listener = await open(`hybrid:${folder.path}/vm.sock:52`);
    expect(readdirSync(folder.path)).toEqual(['vm.sock_52']);
    expect(lstatSync(`${folder.path}/vm.sock_52`).mode & 0o777).toBe(0o600);
    const guest = connectNet(`${folder.path}/vm.sock_52`);
    const accepted = await listener.accept();
    expect(peerOf(accepted)).toEqual({ kind: 'hybrid', path: `${folder.path}/vm.sock`, port: 52 });
    accepted.end('hello');
    expect(await text(guest)).toBe('hello');
    await listener.close();
    expect(readdirSync(folder.path)).toEqual([]);
  });

  it('hybrid: a directory that others may write to is refused, unless that is wanted', async () => {
    chmodSync(folder.path, 0o722);
    const address = `hybrid:${folder.path}/vm.sock:52`;
    expect(await failure(open(address))).toMatchObject({ code: 'ERR_NOT_PRIVATE', address });
    expect(readdirSync(folder.path)).toEqual([]);
    await open(address, { allowAnyUser: true });
  });

  it('unix-fd: takes a socket that listens, and one that is connected', async () => {
    const fd = linux.socket(AF_UNIX, SOCK_STREAM);
    linux.bind(fd, { family: 'unix', path: `${folder.path}/s` });
    const listener = await open(`unix-fd:${fd}`, {}, (socket) => socket.end('hello'));
    expect(listener.address).toEqual({ kind: 'unix', path: `${folder.path}/s` });
    const client = linux.socket(AF_UNIX, SOCK_STREAM);
    linux.connect(client, { family: 'unix', path: `${folder.path}/s` });
    const socket = await dial(`unix-fd:${client}`);
    expect(peerOf(socket)).toMatchObject(own);
    expect(await text(socket)).toBe('hello');
    const file = linux.open('/dev/null', linux.constants.O_RDONLY);
    expect(await failure(dial(`unix-fd:${file}`))).toMatchObject({ name: 'VsockError', code: 'ENOTSOCK' });
    linux.close(file);
  });

  it('refuses what cannot be listened on, with what to do', async () => {
    await open(`unix:${folder.path}/s`);
    expect((await failure(open(`unix:${folder.path}/s`))).message).toBe(
      `cannot listen on unix:${folder.path}/s: it is in use; end the program that listens there, or choose another address`,
    );
    expect(await failure(open('tcp:0.0.0.0:0'))).toMatchObject({ code: 'ERR_INSECURE_ADDRESS' });
    expect(await failure(open('nonsense'))).toMatchObject({ name: 'AddressError' });
    expect(await failure(dial(`unix:${folder.path}/none`))).toMatchObject({ code: 'ENOENT' });
    expect(await failure(dial('tcp:127.0.0.1:1'))).toMatchObject({ code: 'ECONNREFUSED' });
    const signal = AbortSignal.abort(new Error('before'));
    expect(await failure(open(`unix:${folder.path}/t`, { signal }))).toMatchObject({ message: 'before' });
    expect(await failure(dial(`unix:${folder.path}/s`, { signal }))).toMatchObject({ message: 'before' });
  });
});

describe('a listener', () => {
  it('tells who waits when it closes, and ends what nobody has taken', async () => {
    const listener = await open(`unix:${folder.path}/s`);
    const waiting = [listener.accept(), listener.accept()].map(failure);
    await listener.close();
    await listener.close();
    for (const error of waiting) expect(await error).toMatchObject({ code: 'ERR_CLOSED' });
    const abort = new AbortController();
    const other = await open(`unix:${folder.path}/s`, { signal: abort.signal });
    const client = await dial(`unix:${folder.path}/s`);
    const untaken = await dial(`unix:${folder.path}/s`);
    // It may have been accepted by then, or not: it sees an end or a reset.
    const ended = new Promise((resolve) =>
      untaken
        .on('error', () => undefined)
        .on('close', resolve)
        .resume(),
    );
    const accepted = await other.accept();
    await until(() => client.readyState === 'open');
    abort.abort();
    expect(await failure(other.accept())).toMatchObject({ code: 'ERR_CLOSED' });
    expect(readdirSync(folder.path)).toEqual([]);
    accepted.end('still there');
    expect(await text(client)).toBe('still there');
    await ended;
  });

  it('gives up waiting with the signal, and gives the next connection to the next', async () => {
    const listener = await open(`unix:${folder.path}/s`);
    const abort = new AbortController();
    const given = failure(listener.accept({ signal: abort.signal }));
    const next = listener.accept();
    abort.abort(new Error('enough'));
    expect((await given).message).toBe('enough');
    const client = await dial(`unix:${folder.path}/s`);
    (await next).end('x');
    expect(await text(client)).toBe('x');
  });

  it('is gone through by for await, until it closes', async () => {
    const listener = await open(`unix:${folder.path}/s`);
    const served: string[] = [];
    const serving = (async () => {
      for await (const socket of listener) served.push(await text(socket));
    })();
    for (const word of ['one', 'two']) (await dial(`unix:${folder.path}/s`)).end(word);
    await until(() => served.length === 2);
    await listener.close();
    await serving;
    expect(served).toEqual(['one', 'two']);
  });

  it('lives on when a connection is reset, as after the restore of a snapshot', async () => {
    const errors: string[] = [];
    const listener = await open(`unix:${folder.path}/s`, {}, (socket) => {
      socket.on('error', (error: NodeJS.ErrnoException) => errors.push(String(error.code)));
      socket.write('unread');
    });
    for (let round = 1; round <= 3; round++) {
      // A Unix socket that is closed with data unread resets the connection.
      const fd = linux.socket(AF_UNIX, SOCK_STREAM);
      linux.connect(fd, { family: 'unix', path: `${folder.path}/s` });
      expect(linux.poll(fd, linux.constants.POLLIN, 0)).toBe(0);
      await until(() => linux.poll(fd, linux.constants.POLLIN, 0) > 0);
      linux.close(fd);
      await until(() => errors.length === round);
    }
    expect(errors).toEqual(['ECONNRESET', 'ECONNRESET', 'ECONNRESET']);
    (await dial(listener.address)).destroy();
  });

  it('leaves no descriptor open', async () => {
    const before = openDescriptors();
    for (let round = 0; round < 5; round++) {
      const listener = await listen(`unix:${folder.path}/s`);
      const client = await dial(`unix:${folder.path}/s`);
      const accepted = await listener.accept();
      await listener.close();
      for (const socket of [client, accepted]) socket.destroy();
    }
    await noMoreThan(before);
  });
});

describe('vsock:PORT by directories', () => {
  const options = () => ({ via: 'directories', runtimeDirectory: folder.path }) as const;
  /** What the device of a VM does when its guest connects to a port of the host. */
  const guestConnects = (cid: number, port: number) =>
    connectNet(`${vmSocketPath(cid, folder.path)}_${port}`);
  const listenedBy = (cid: number) => readdirSync(vmDirectory(cid, folder.path));

  it('serves VMs that are there, that come and that go, each by its CID', async () => {
    makeVmDirectory(3, folder.path);
    const listener = await open('vsock:7000', options(), (socket) => {
      const peer = peerOf(socket);
      socket.end(`${peer?.kind === 'vsock' && `${peer.cid} ${peer.by}`}`);
    });
    expect(lstatSync(join(folder.path, 'vsock')).mode & 0o777).toBe(0o700);
    expect(lstatSync(`${vmSocketPath(3, folder.path)}_7000`).mode & 0o777).toBe(0o600);
    expect(await text(guestConnects(3, 7000))).toBe('3 directory');
    makeVmDirectory(12, folder.path);
    await until(() => listenedBy(12).includes('sock_7000') && !listenedBy(12).includes('sock_7000.lock'));
    expect(await text(guestConnects(12, 7000))).toBe('12 directory');
    // The next VM of that number is another one.
    rmSync(vmDirectory(12, folder.path), { recursive: true });
    makeVmDirectory(12, folder.path);
    await until(() => listenedBy(12).includes('sock_7000') && !listenedBy(12).includes('sock_7000.lock'));
    expect(await text(guestConnects(12, 7000))).toBe('12 directory');
    await listener.close();
    expect([...listenedBy(3), ...listenedBy(12)]).toEqual([]);
  });

  it('admits by CID, and tells who was not', async () => {
    for (const cid of [3, 4]) makeVmDirectory(cid, folder.path);
    const listener = await open('vsock::7000', { ...options(), acceptCids: [4] }, (socket) =>
      socket.end('in'),
    );
    const refused: Peer[] = [];
    listener.on('refused', (peer) => refused.push(peer));
    expect(await text(guestConnects(3, 7000))).toBe('');
    expect(await text(guestConnects(4, 7000))).toBe('in');
    await until(() => refused.length === 1);
    expect(refused).toEqual([{ kind: 'vsock', cid: 3, port: undefined, by: 'directory' }]);
  });

  it('does not listen where others can enter, until they cannot', async () => {
    mkdirSync(join(folder.path, 'vsock', '5'), { recursive: true });
    chmodSync(join(folder.path, 'vsock'), 0o700);
    chmodSync(join(folder.path, 'vsock', '5'), 0o755);
    for (const name of ['any', '007', '4294967295', 'x']) makeVmDirectory(name as never, folder.path);
    makeVmDirectory(6, folder.path);
    await open('vsock:7000', options());
    expect(listenedBy(6)).toEqual(['sock_7000']);
    for (const name of [5, 'any', '007', '4294967295', 'x']) expect(listenedBy(name as never)).toEqual([]);
    chmodSync(join(folder.path, 'vsock', '5'), 0o700);
    await until(() => listenedBy(5).includes('sock_7000'));
  });

  it('is refused when others can enter the directory of all VMs', async () => {
    mkdirSync(join(folder.path, 'vsock'), { mode: 0o755 });
    chmodSync(join(folder.path, 'vsock'), 0o755);
    const error = await failure(open('vsock:7000', options()));
    expect(error).toMatchObject({ code: 'ERR_NOT_PRIVATE', remedy: expect.stringContaining('chmod 700') });
    expect(() => makeVmDirectory(3, folder.path)).toThrow('other users can enter');
  });

  it('hands descriptors to who wants those', async () => {
    makeVmDirectory(3, folder.path);
    const { promise, resolve } = Promise.withResolvers<[number, Peer]>();
    const refused: Peer[] = [];
    using listener = await listenDescriptors('vsock:7000', {
      ...options(),
      acceptCids: [3],
      onConnection: (...facts) => resolve(facts),
      onRefused: (peer) => refused.push(peer),
    });
    expect(listener.address).toEqual({ kind: 'vsock', cid: 0xffffffff, port: 7000 });
    const guest = guestConnects(3, 7000);
    const [fd, peer] = await promise;
    expect(peer).toEqual({ kind: 'vsock', cid: 3, port: undefined, by: 'directory' });
    expect(linux.send(fd, Buffer.from('raw'), 0, 3, 0)).toBe(3);
    linux.close(fd);
    expect(await text(guest)).toBe('raw');
    makeVmDirectory(9, folder.path);
    await until(() => listenedBy(9).includes('sock_7000') && !listenedBy(9).includes('sock_7000.lock'));
    expect(await text(guestConnects(9, 7000))).toBe('');
    expect(refused).toMatchObject([{ cid: 9 }]);
    listener.close();
    expect([...listenedBy(3), ...listenedBy(9)]).toEqual([]);
  });

  it('reaches a VM with a directory by its hybrid socket', async () => {
    makeVmDirectory(3, folder.path);
    await folder.vm((line, socket) => socket.end(`OK 9\n${line}`), 'vsock/3/sock');
    const socket = await dial('vsock:3:1024', { runtimeDirectory: folder.path });
    expect(peerOf(socket)).toEqual({ kind: 'vsock', cid: 3, port: 1024, by: 'directory' });
    expect(await text(socket)).toBe('CONNECT 1024');
  });
});
