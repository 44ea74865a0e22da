import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as linux from '@vm-tools/linux';
import { Client } from '@vm-tools/p9-protocol';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Bench } from './nine-s.ts';

const { AF_INET, AF_UNIX, MSG_DONTWAIT, SOCK_DGRAM, SOCK_STREAM } = linux.constants;
let bench: Bench;
let descriptors: number[];

beforeEach(() => {
  bench = new Bench();
  descriptors = [];
});
afterEach(async () => {
  for (const fd of descriptors) linux.close(fd);
  await bench.clear();
});

async function readHello(to?: Parameters<Bench['connect']>[0]): Promise<string> {
  await using client = await Client.connect({ stream: await bench.connect(to) });
  const root = await client.attach();
  return new TextDecoder().decode(await root.readFile('hello'));
}

function ourSocket(type: number, address: linux.SocketAddress): number {
  const fd = linux.socket(address.family.startsWith('unix') ? AF_UNIX : AF_INET, type);
  descriptors.push(fd);
  linux.bind(fd, address);
  return fd;
}

describe('9s on a Unix socket', () => {
  it('serves it with mode 0600, and removes it at the end', async () => {
    const nineS = await bench.serve();
    expect(lstatSync(bench.socket).mode & 0o7777).toBe(0o600);
    expect(await readHello()).toBe('hello, guest\n');
    expect(await nineS.terminate()).toMatchObject({ code: 0, signal: null, stdout: '' });
    expect(readdirSync(bench.folder)).toEqual(['root']);
  });

  it('gives it to a group with mode 0660', async () => {
    const gid = process.getuid?.() === 0 ? 12345 : (process.getgroups?.()[0] ?? 0);
    await bench.serve(['--socket_gid', String(gid)]);
    expect(lstatSync(bench.socket)).toMatchObject({ gid });
    expect(lstatSync(bench.socket).mode & 0o7777).toBe(0o660);
  });

  it('replaces the socket of one that was killed', async () => {
    const killed = await bench.serve();
    killed.child.kill('SIGKILL');
    await killed.ended;
    expect(existsSync(bench.socket)).toBe(true);
    await bench.serve();
    expect(await readHello()).toBe('hello, guest\n');
  });

  it('leaves the socket to one that listens there', async () => {
    await bench.serve();
    const { code, stderr } = await bench.start(['--root', bench.root, bench.listen]).ended;
    expect(code).toBe(69);
    expect(stderr).toContain('it is in use; end the program that listens there');
    expect(await readHello()).toBe('hello, guest\n');
  });
});

describe('9s elsewhere', () => {
  it('serves an abstract name', async () => {
    const name = `vm-tools-9s-${process.pid}`;
    await bench.serve([], `unix-abstract:${name}`);
    expect(await readHello({ path: `\0${name}` })).toBe('hello, guest\n');
  });

  it('serves TCP on loopback, on the port that it logs, and knows who is there', async () => {
    const nineS = await bench.serve(['--log-format', 'json'], 'tcp:127.0.0.1:0');
    const lines = nineS.stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { address?: string });
    const address = lines.at(-1)?.address ?? '';
    const port = Number(/^tcp:127\.0\.0\.1:([0-9]+)$/.exec(address)?.[1]);
    expect(await readHello({ host: '127.0.0.1', port })).toBe('hello, guest\n');
    expect(nineS.stderr).toMatch(/"peer":"127\.0\.0\.1:[0-9]+"/);
  });

  it('serves TCP beyond loopback when it is wanted', async () => {
    const nineS = await bench.serve(['--insecure-listen'], 'tcp:0.0.0.0:0');
    const port = Number(/tcp:0\.0\.0\.0:([0-9]+)/.exec(nineS.stderr)?.[1]);
    expect(await readHello({ host: '127.0.0.1', port })).toBe('hello, guest\n');
  });

  it('serves an inherited socket, and leaves its file alone', async () => {
    const fd = ourSocket(SOCK_STREAM, { family: 'unix', path: bench.socket });
    linux.listen(fd, 5);
    const nineS = bench.start(['--root', bench.root, 'unix-fd:3'], { pass: [fd] });
    await nineS.logged('listening');
    expect(await readHello()).toBe('hello, guest\n');
    expect(await nineS.terminate()).toMatchObject({ code: 0 });
    expect(existsSync(bench.socket)).toBe(true);
  });

  it('refuses an inherited socket that is no listening stream', async () => {
    const datagrams = ourSocket(SOCK_DGRAM, { family: 'unix', path: bench.socket });
    const [one, other] = linux.socketpair(AF_UNIX, SOCK_STREAM);
    descriptors.push(one, other);
    for (const [fd, problem] of [
      [datagrams, 'this socket is not a stream'],
      [one, 'this socket is connected'],
    ] as const) {
      const { code, stderr } = await bench.start(['--root', bench.root, 'unix-fd:3'], { pass: [fd] }).ended;
      expect(code).toBe(78);
      expect(stderr).toContain(problem);
    }
  });
});

describe('9s below a service manager', () => {
  const activated = 'LISTEN_PID=$$; export LISTEN_PID';

  it('serves all sockets that it is passed', async () => {
    const paths = [join(bench.folder, 'a'), join(bench.folder, 'b')];
    const pass = paths.map((path) => ourSocket(SOCK_STREAM, { family: 'unix', path }));
    for (const fd of pass) linux.listen(fd, 5);
    const env = { LISTEN_FDS: '2', LISTEN_FDNAMES: 'a:b' };
    const nineS = bench.start(['--root', bench.root], { pass, env, before: activated });
    await nineS.logged('listening', 2);
    for (const path of paths) expect(await readHello({ path })).toBe('hello, guest\n');
    expect(await nineS.terminate()).toMatchObject({ code: 0 });
    expect(readdirSync(bench.folder)).toEqual(['a', 'b', 'root']);
  });

  it('does not take sockets that were passed to another process', async () => {
    const fd = ourSocket(SOCK_STREAM, { family: 'unix', path: bench.socket });
    linux.listen(fd, 5);
    const env = { LISTEN_FDS: '1', LISTEN_PID: '1' };
    const { code, stderr } = await bench.start(['--root', bench.root], { pass: [fd], env }).ended;
    expect(code).toBe(64);
    expect(stderr).toContain('the service manager passed no socket');
  });

  it('refuses a passed socket that other machines reach', async () => {
    const fd = ourSocket(SOCK_STREAM, { family: 'inet', host: '0.0.0.0', port: 0 });
    const options = { pass: [fd], env: { LISTEN_FDS: '1' }, before: activated };
    const { code, stderr } = await bench.start(['--root', bench.root], options).ended;
    expect(code).toBe(64);
    expect(stderr).toContain('can be reached from other machines');
  });

  it('tells it when clients can connect, and that it ends', async () => {
    const path = join(bench.folder, 'notify');
    const fd = ourSocket(SOCK_DGRAM, { family: 'unix', path });
    const buffer = Buffer.alloc(1000);
    const received = () => {
      const length = linux.recv(fd, buffer, 0, buffer.length, MSG_DONTWAIT);
      return length < 0 ? undefined : buffer.toString('utf8', 0, length);
    };
    const nineS = bench.start(['--root', bench.root, bench.listen], { env: { NOTIFY_SOCKET: path } });
    const ready = await vi.waitUntil(received, { timeout: 90_000 });
    expect(ready).toBe(`READY=1\nSTATUS=serving ${bench.root} on ${bench.listen}`);
    expect(await readHello()).toBe('hello, guest\n');
    expect(await nineS.terminate()).toMatchObject({ code: 0 });
    expect(received()).toBe('STOPPING=1');
  });

  it('serves all the same when the service manager cannot be told, and says so', async () => {
    const env = { NOTIFY_SOCKET: join(bench.folder, 'nobody') };
    const nineS = bench.start(['--root', bench.root, bench.listen], { env });
    await nineS.logged('9s warn: the service manager cannot be told');
    expect(await readHello()).toBe('hello, guest\n');
  });
});

describe('the directory that 9s serves', () => {
  it('can be read-only', async () => {
    await bench.serve(['--read_only']);
    await using client = await Client.connect({ stream: await bench.connect() });
    const root = await client.attach();
    await expect(root.writeFile('new', Buffer.from('x'))).rejects.toMatchObject({ code: 'EROFS' });
    expect(readdirSync(bench.root)).toEqual(['hello']);
  });

  it('has the users and groups that the maps say', async () => {
    const { uid, gid } = statSync(join(bench.root, 'hello'));
    await bench.serve(['--uid-map', `${uid}:4321`, '--gid_map', `${gid}:8765`, '--uid-map', '77:78']);
    await using client = await Client.connect({ stream: await bench.connect() });
    const root = await client.attach();
    expect(await root.getattr('hello')).toMatchObject({ uid: 4321, gid: 8765 });
  });

  it('gets files with exactly the mode that the client asks for', async () => {
    const nineS = bench.start(['--root', bench.root, bench.listen], { before: 'umask 077' });
    await nineS.logged('listening');
    await using client = await Client.connect({ stream: await bench.connect() });
    const root = await client.attach();
    await root.writeFile('open', Buffer.from('x'), { mode: 0o666 });
    await root.mkdir('folder', { mode: 0o777 });
    expect(statSync(join(bench.root, 'open')).mode & 0o7777).toBe(0o666);
    expect(statSync(join(bench.root, 'folder')).mode & 0o7777).toBe(0o777);
  });

  it('is the one that was there at the start', async () => {
    await bench.serve();
    renameSync(bench.root, join(bench.folder, 'moved'));
    mkdirSync(bench.root);
    writeFileSync(join(bench.root, 'hello'), 'another\n');
    expect(await readHello()).toBe('hello, guest\n');
  });

  it('is served in messages of the size asked for, with a warning for a small one', async () => {
    const nineS = await bench.serve(['--msize', '8192']);
    expect(nineS.stderr).toContain('9s warn: --msize 8192 is small');
    await using client = await Client.connect({ stream: await bench.connect(), msize: 1 << 20 });
    expect(client.msize).toBe(8192);
  });
});
