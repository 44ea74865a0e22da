import { mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as linux from '@vm-tools/linux';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ServiceManager } from './index.ts';

const { AF_UNIX, MSG_DONTWAIT, SOCK_DGRAM } = linux.constants;
let folder: string;
let receiver: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-notify-'));
  receiver = linux.socket(AF_UNIX, SOCK_DGRAM);
});
afterEach(() => {
  linux.close(receiver);
  rmSync(folder, { recursive: true });
});

function received(): string | undefined {
  const buffer = Buffer.alloc(4096);
  const length = linux.recv(receiver, buffer, 0, buffer.length, MSG_DONTWAIT);
  return length < 0 ? undefined : buffer.toString('utf8', 0, length);
}

describe('ServiceManager', () => {
  it('tells readiness, status and end to the socket that the environment names', async () => {
    const path = join(folder, 'notify');
    linux.bind(receiver, { family: 'unix', path });
    const env = { NOTIFY_SOCKET: path };
    const manager = new ServiceManager(env);
    await manager.notify({ ready: true, status: 'listening\non two' });
    expect(received()).toBe('READY=1\nSTATUS=listening on two');
    await manager.notify({ stopping: true });
    expect(received()).toBe('STOPPING=1');
    await manager.notify({});
    expect(received()).toBeUndefined();
    expect(env).toEqual({});
  });

  it('knows the abstract namespace', async () => {
    const name = `vm-tools-notify-${process.pid}`;
    linux.bind(receiver, { family: 'unix-abstract', name });
    await new ServiceManager({ NOTIFY_SOCKET: `@${name}` }).notify({ ready: true });
    expect(received()).toBe('READY=1');
  });

  it('is silent when nobody asked', async () => {
    await expect(new ServiceManager({}).notify({ ready: true })).resolves.toBeUndefined();
  });

  it('says when the socket is not there, or not one', async () => {
    const gone = new ServiceManager({ NOTIFY_SOCKET: join(folder, 'gone') });
    await expect(gone.notify({ ready: true })).rejects.toMatchObject({ code: 'ENOENT' });
    const odd = new ServiceManager({ NOTIFY_SOCKET: 'vsock:2:9999' });
    await expect(odd.notify({ ready: true })).rejects.toMatchObject({ code: 'ERR_NOTIFY_SOCKET' });
  });

  it('keeps the way that it connected early, and hands it to the program that it becomes', async () => {
    const path = join(folder, 'notify');
    linux.bind(receiver, { family: 'unix', path });
    const manager = new ServiceManager({ NOTIFY_SOCKET: path });
    const connection = await manager.connect();
    expect(connection).toBeTypeOf('number');
    expect(await manager.connect()).toBe(connection);
    // Nobody finds it any more.
    unlinkSync(path);
    await manager.notify({ ready: true });
    expect(received()).toBe('READY=1');
    const next = new ServiceManager({});
    next.adopt(connection);
    await next.notify({ status: 'anew' });
    await next.notify({ stopping: true });
    expect([received(), received()]).toEqual(['STATUS=anew', 'STOPPING=1']);
    linux.close(connection as number);
  });

  it('connects to nobody when nobody asked, and says when nobody is there', async () => {
    const silent = new ServiceManager({});
    expect(await silent.connect()).toBeUndefined();
    silent.adopt(undefined);
    await silent.notify({ ready: true });
    const gone = new ServiceManager({ NOTIFY_SOCKET: join(folder, 'gone') });
    await expect(gone.connect()).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('leaves no descriptor behind, whether it can be told or not', async () => {
    const path = join(folder, 'notify');
    linux.bind(receiver, { family: 'unix', path });
    const free = linux.dup(receiver);
    linux.close(free);
    for (const socket of [path, join(folder, 'gone')]) {
      await new ServiceManager({ NOTIFY_SOCKET: socket }).notify({ ready: true }).catch(() => undefined);
    }
    const next = linux.dup(receiver);
    linux.close(next);
    expect(next).toBe(free);
  });
});
