import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as linux from '@vm-tools/linux';
import { parseAddress } from '@vm-tools/vsock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ListenError, type Listener, listenOn } from './index.ts';

const { AF_INET, AF_UNIX, SOCK_DGRAM, SOCK_STREAM } = linux.constants;
let folder: string;
let open: (Listener | number)[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-listen-'));
  open = [];
});
afterEach(() => {
  for (const each of open) typeof each === 'number' ? linux.close(each) : each.close();
  rmSync(folder, { recursive: true });
});

async function listen(text: string, options = {}): Promise<Listener> {
  const listener = await listenOn(parseAddress(text, { for: 'listen' }), options);
  open.push(listener);
  return listener;
}

async function refusal(text: string, options = {}): Promise<ListenError> {
  const error = await listen(text, options).then(
    () => new Error(`${text} is listened on`),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ListenError);
  return error as ListenError;
}

/** Leaves a socket file that nobody listens on. */
function leaveStale(path: string): void {
  const fd = linux.socket(AF_UNIX, SOCK_STREAM);
  linux.bind(fd, { family: 'unix', path });
  linux.close(fd);
}

function socketOf(type: number, path?: string): number {
  const fd = linux.socket(AF_UNIX, type);
  open.push(fd);
  if (path) linux.bind(fd, { family: 'unix', path });
  return fd;
}

const modeOf = (path: string) => lstatSync(path).mode & 0o7777;
const connects = (address: { path: string } | { host: string; port: number }) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(address, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });

describe('listening on a Unix path', () => {
  it('makes a socket that only the owner can use, and removes it at the end', async () => {
    const path = join(folder, 's');
    const umask = process.umask(0);
    try {
      const listener = await listen(`unix:${path}`);
      expect(modeOf(path)).toBe(0o600);
      expect(process.umask()).toBe(0);
      expect(listener.name).toEqual({ family: 'unix', path });
      expect(await connects({ path })).toBe(true);
      listener.close();
      listener.close();
    } finally {
      process.umask(umask);
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  it('gives it the mode or the group asked for', async () => {
    const gid = process.getuid?.() === 0 ? 12345 : (process.getgroups?.()[0] ?? 0);
    await listen(`unix:${folder}/group`, { gid });
    expect(lstatSync(`${folder}/group`).gid).toBe(gid);
    expect(modeOf(`${folder}/group`)).toBe(0o660);
    await listen(`unix:${folder}/all`, { mode: 0o666 });
    expect(modeOf(`${folder}/all`)).toBe(0o666);
    await listen(`unix:${folder}/both`, { gid, mode: 0o620 });
    expect(modeOf(`${folder}/both`)).toBe(0o620);
  });

  it('replaces a socket that nobody listens on', async () => {
    const path = join(folder, 's');
    leaveStale(path);
    await listen(`unix:${path}`);
    expect(await connects({ path })).toBe(true);
    expect(readdirSync(folder)).toEqual(['s']);
  });

  it('refuses a socket in use, and leaves it in use', async () => {
    const path = join(folder, 's');
    await listen(`unix:${path}`);
    const error = await refusal(`unix:${path}`);
    expect(error).toMatchObject({ code: 'ERR_ADDRESS_IN_USE', exitCode: 69 });
    expect(error.message).toBe(
      `cannot listen on unix:${path}: it is in use; end the program that listens there, or choose another address`,
    );
    expect(await connects({ path })).toBe(true);
  });

  it('refuses a socket in use whose queue is full, and one of another type', async () => {
    const full = socketOf(SOCK_STREAM, join(folder, 'full'));
    linux.listen(full, 0);
    linux.connect(socketOf(SOCK_STREAM), { family: 'unix', path: join(folder, 'full') });
    expect((await refusal(`unix:${folder}/full`)).code).toBe('ERR_ADDRESS_IN_USE');
    socketOf(SOCK_DGRAM, join(folder, 'datagrams'));
    expect((await refusal(`unix:${folder}/datagrams`)).code).toBe('ERR_ADDRESS_IN_USE');
  });

  it('refuses what is not a socket, and leaves it alone', async () => {
    writeFileSync(join(folder, 'file'), 'precious');
    mkdirSync(join(folder, 'directory'));
    leaveStale(join(folder, 'stale'));
    symlinkSync('stale', join(folder, 'link'));
    const before = readdirSync(folder);
    for (const name of ['file', 'directory', 'link']) {
      expect(await refusal(`unix:${folder}/${name}`)).toMatchObject({
        code: 'ERR_NOT_A_SOCKET',
        exitCode: 73,
      });
    }
    expect(readdirSync(folder)).toEqual(before);
  });

  it('says when the directory is not there', async () => {
    expect(await refusal(`unix:${folder}/no/s`)).toMatchObject({ code: 'ENOENT', exitCode: 73 });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('leaves nothing behind when the group cannot be given', async () => {
    // Not a group, but "unchanged": the chown is one that cannot fail, the mode then one that does not exist.
    expect(await refusal(`unix:${folder}/s`, { gid: 0xffffffff, mode: Number.NaN })).toMatchObject({
      exitCode: 71,
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('does not remove a socket that took the place of its own', async () => {
    const path = join(folder, 's');
    const first = await listen(`unix:${path}`);
    unlinkSync(path);
    await listen(`unix:${path}`);
    first.close();
    expect(await connects({ path })).toBe(true);
  });

  it('waits while another program sets the same path up', async () => {
    const path = join(folder, 's');
    const lock = linux.open(`${path}.lock`, linux.constants.O_RDWR | linux.constants.O_CREAT);
    expect(linux.ofdSetLock(lock, linux.constants.F_WRLCK, 0, 0)).toBe(0);
    let done = false;
    const listening = listen(`unix:${path}`).finally(() => {
      done = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(done).toBe(false);
    linux.close(lock);
    await listening;
    expect(readdirSync(folder)).toEqual(['s']);
  });
});

describe('listening on an abstract name', () => {
  it('takes a free one and refuses one in use', async () => {
    const text = `unix-abstract:vm-tools-listen-${process.pid}`;
    const listener = await listen(text);
    expect(listener.name.family).toBe('unix-abstract');
    expect(await refusal(text)).toMatchObject({ code: 'EADDRINUSE', exitCode: 69 });
    listener.close();
    await listen(text);
  });
});

describe('listening on TCP', () => {
  it('has the port that the kernel chose', async () => {
    const { address } = await listen('tcp:127.0.0.1:0');
    if (address.kind !== 'tcp') throw new Error(address.kind);
    expect(address.port).toBeGreaterThan(0);
    expect(await connects(address)).toBe(true);
    expect(await refusal(`tcp:127.0.0.1:${address.port}`)).toMatchObject({
      code: 'EADDRINUSE',
      exitCode: 69,
    });
  });

  it('resolves names', async () => {
    const { address } = await listen('tcp:localhost:0');
    expect(address).toMatchObject({ kind: 'tcp', host: expect.stringMatching(/^(127\.0\.0\.1|::1)$/) });
  });

  it('refuses what other machines reach, unless it is wanted', async () => {
    const error = await refusal('tcp:0.0.0.0:0');
    expect(error).toMatchObject({ code: 'ERR_INSECURE_ADDRESS', exitCode: 64 });
    expect(error.message).toContain('--insecure-listen');
    expect((await refusal('tcp:[::]:0')).code).toBe('ERR_INSECURE_ADDRESS');
    await listen('tcp:0.0.0.0:0', { insecure: true });
  });

  it('says when this machine does not have the address', async () => {
    // TEST-NET-1 of RFC 5737: never anyone's.
    const error = await refusal('tcp:192.0.2.1:0', { insecure: true });
    expect(error).toMatchObject({ code: 'EADDRNOTAVAIL', exitCode: 69 });
  });
});

describe('listening on an inherited descriptor', () => {
  it('takes a listening socket as it is, and a bound one by listening', async () => {
    const listening = linux.socket(AF_UNIX, SOCK_STREAM);
    linux.bind(listening, { family: 'unix', path: join(folder, 'a') });
    linux.listen(listening, 5);
    const listener = await listen(`unix-fd:${listening}`);
    expect(listener.address).toEqual({ kind: 'unix-fd', fd: listening });
    expect(listener.name).toEqual({ family: 'unix', path: join(folder, 'a') });
    const bound = linux.socket(AF_UNIX, SOCK_STREAM);
    linux.bind(bound, { family: 'unix', path: join(folder, 'b') });
    await listen(`unix-fd:${bound}`);
    expect(await connects({ path: join(folder, 'b') })).toBe(true);
    listener.close();
    // The file is that of whoever passed the descriptor.
    expect(readdirSync(folder)).toEqual(['a', 'b']);
  });

  it('refuses everything else', async () => {
    const [one, other] = linux.socketpair(AF_UNIX, SOCK_STREAM);
    const [read, write] = linux.pipe();
    open.push(one, other, read, write);
    const datagrams = socketOf(SOCK_DGRAM, join(folder, 'd'));
    const unbound = socketOf(SOCK_STREAM);
    const problems: [number, string][] = [
      [one, 'this socket is connected'],
      [read, 'this descriptor is not a socket'],
      [datagrams, 'this socket is not a stream'],
      [unbound, 'this socket is bound to no address'],
    ];
    for (const [fd, problem] of problems) {
      const error = await refusal(`unix-fd:${fd}`);
      expect(error).toMatchObject({ code: 'ERR_UNFIT_DESCRIPTOR', exitCode: 78 });
      expect(error.message).toContain(problem);
    }
    expect(await refusal('unix-fd:1000000')).toMatchObject({ code: 'EBADF', exitCode: 78 });
  });

  it('refuses TCP beyond loopback here too', async () => {
    const fd = linux.socket(AF_INET, SOCK_STREAM);
    open.push(fd);
    linux.bind(fd, { family: 'inet', host: '0.0.0.0', port: 0 });
    expect((await refusal(`unix-fd:${fd}`)).code).toBe('ERR_INSECURE_ADDRESS');
  });
});

describe('listening on vsock', () => {
  it.each(['vsock:1024', 'hybrid:/run/vm.sock:1024'])('is refused by name: %s', async (text) => {
    const error = await refusal(text);
    expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED_ADDRESS', exitCode: 69 });
    expect(error.message).toContain('this version does not serve');
  });
});

describe('a failed attempt', () => {
  it('leaves no descriptor behind', async () => {
    const free = linux.dup(0);
    linux.close(free);
    leaveStale(join(folder, 'stale'));
    writeFileSync(join(folder, 'file'), '');
    chmodSync(folder, 0o755);
    const used = await listen(`unix:${folder}/used`);
    for (const text of [`unix:${folder}/file`, `unix:${folder}/used`, `unix:${folder}/no/s`])
      await refusal(text);
    for (const text of ['tcp:192.0.2.1:0', 'tcp:0.0.0.0:0'])
      await refusal(text, { insecure: text.includes('192') });
    await refusal(`unix:${folder}/stale`, { gid: 0, mode: Number.NaN });
    used.close();
    const next = linux.dup(0);
    linux.close(next);
    expect(next).toBe(free);
  });
});
