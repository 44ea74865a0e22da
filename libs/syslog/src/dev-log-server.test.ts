import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as linux from '@vm-tools/linux';
import { test as base, describe, expect, vi } from 'vitest';
import { KeptRecords } from '../test/kept-records.ts';
import { DevLogServer, type DevLogServerOptions } from './dev-log-server.ts';

const { AF_UNIX, MSG_DONTWAIT, SOCK_DGRAM, SOCK_STREAM } = linux.constants;
const patience = { timeout: 60_000 };

interface Fixture {
  directory: string;
  sink: KeptRecords;
  serve: (options?: Partial<DevLogServerOptions>) => DevLogServer;
  /** A connected socket. */
  client: (path: string, type?: number) => (text: string | Buffer) => number;
}

const test = base.extend<Fixture>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the pattern to learn what the fixture needs
  directory: async ({}, use) => {
    const path = mkdtempSync(join(tmpdir(), 'vm-tools-syslog-'));
    await use(path);
    rmSync(path, { recursive: true, force: true });
  },
  // biome-ignore lint/correctness/noEmptyPattern: as above
  sink: async ({}, use) => use(new KeptRecords()),
  serve: async ({ sink }, use) => {
    const servers: DevLogServer[] = [];
    await use((options) => {
      servers.push(new DevLogServer({ sink, ...options }));
      return servers.at(-1) as DevLogServer;
    });
    sink.open();
    await Promise.all(servers.map((server) => server.close()));
  },
  // biome-ignore lint/correctness/noEmptyPattern: as above
  client: async ({}, use) => {
    const open: number[] = [];
    await use((path, type = SOCK_DGRAM) => {
      const fd = linux.socket(AF_UNIX, type);
      open.push(fd);
      linux.connect(fd, { family: 'unix', path });
      return (text) => {
        const bytes = Buffer.from(text);
        return linux.send(fd, bytes, 0, bytes.length, MSG_DONTWAIT);
      };
    });
    for (const fd of open) linux.close(fd);
  },
});

describe('datagrams', () => {
  test('become records of their sender', async ({ directory, serve, sink, client }) => {
    const path = join(directory, 'log');
    const server = serve();
    await server.listen(path);
    expect(statSync(path).mode & 0o777).toBe(0o666);
    const send = client(path);
    send('<11>Nov 23 09:42:03 backup[1]: no such disk\n');
    send('<14>Nov 23 09:42:03 backup: one\0');
    send(`<13>Nov 23 09:42:03 backup[${process.pid}]: two`);
    await vi.waitUntil(() => sink.records.length === 3, patience);
    expect(sink.messages).toEqual(['no such disk', 'one', 'two']);
    const [first, second, third] = sink.records;
    for (const record of sink.records) {
      expect(record).toMatchObject({
        tag: 'backup',
        pid: process.pid,
        senderPid: process.pid,
        senderUid: process.getuid?.(),
        senderGid: process.getgid?.(),
        isTruncated: false,
      });
    }
    expect([first, second, third].map((record) => record?.isCorrected)).toEqual([true, false, false]);
    expect(server.counters).toMatchObject({ messages: 3, corrected: 1, truncated: 0, empty: 0, lost: 0 });
  });

  test('keep the pid that they say, if that is wanted', async ({ directory, serve, sink, client }) => {
    const path = join(directory, 'log');
    await serve({ correctPids: false }).listen(path);
    client(path)('<11>backup[1]: x');
    await vi.waitUntil(() => sink.records.length === 1, patience);
    expect(sink.records[0]).toMatchObject({ pid: 1, senderPid: process.pid, isCorrected: false });
  });

  test('of 64 KiB are whole, longer ones cut and marked', async ({ directory, serve, sink, client }) => {
    const path = join(directory, 'log');
    const server = serve();
    await server.listen(path);
    const send = client(path);
    expect(send('a'.repeat(65_536))).toBe(65_536);
    expect(send(`${'b'.repeat(65_536)}c`)).toBe(65_537);
    await vi.waitUntil(() => sink.records.length === 2, patience);
    expect(sink.records.map(({ isTruncated }) => isTruncated)).toEqual([false, true]);
    expect(sink.messages).toEqual(['a'.repeat(65_536), 'b'.repeat(65_536)]);
    expect(server.counters).toMatchObject({ truncated: 1, bytes: 131_072 });
  });

  test('without text are no messages', async ({ directory, serve, sink, client }) => {
    const path = join(directory, 'log');
    const server = serve();
    await server.listen(path);
    for (const text of ['', '\n', '\0', 'x']) client(path)(text);
    await vi.waitUntil(() => sink.records.length === 1, patience);
    expect(sink.messages).toEqual(['x']);
    expect(server.counters.empty).toBe(3);
  });

  test('wait in the kernel while the sink is full, and their senders with them', async ({
    directory,
    serve,
    sink,
    client,
  }) => {
    const path = join(directory, 'log');
    const server = serve();
    const events: string[] = [];
    server.on('full', () => events.push('full')).on('room', () => events.push('room'));
    await server.listen(path);
    sink.block();
    const send = client(path);
    let sent = 0;
    await vi.waitUntil(() => {
      while (send(`message ${sent}`) > 0) sent++;
      return server.counters.waits > 0;
    }, patience);
    expect(sent).toBeGreaterThan(0);
    expect(events).toEqual(['full']);
    sink.open();
    await vi.waitUntil(() => sink.records.length === sent, patience);
    expect(sink.messages).toEqual(Array.from({ length: sent }, (_, index) => `message ${index}`));
    await vi.waitUntil(() => events.length === 2, patience);
    expect(events).toEqual(['full', 'room']);
    expect(server.counters).toMatchObject({ messages: sent, lost: 0 });
  });

  test('that were sent before it closes are not lost', async ({ directory, serve, sink, client }) => {
    const path = join(directory, 'log');
    const server = serve();
    await server.listen(path);
    const send = client(path);
    for (let i = 0; i < 5; i++) send(`message ${i}`);
    await server.close();
    expect(sink.messages).toEqual([0, 1, 2, 3, 4].map((i) => `message ${i}`));
    expect(existsSync(path)).toBe(false);
    expect(send('late')).toBeLessThan(0);
    await expect(server.listen(path)).rejects.toThrow('has been closed');
  });

  test('that a full sink does not take until the end are counted as lost', async ({
    directory,
    serve,
    sink,
    client,
  }) => {
    const path = join(directory, 'log');
    const server = serve({ closeMs: 1 });
    await server.listen(path);
    sink.block();
    const send = client(path);
    let sent = 0;
    while (send(`message ${sent}`) > 0) sent++;
    await server.close();
    expect(server.counters).toMatchObject({ messages: 0, lost: sent });
  });
});

describe('a path', () => {
  test('whose socket nobody has open is taken over', async ({ directory, serve, sink, client }) => {
    const path = join(directory, 'log');
    const dead = linux.socket(AF_UNIX, SOCK_DGRAM);
    linux.bind(dead, { family: 'unix', path });
    linux.close(dead);
    await serve().listen(path);
    client(path)('x');
    await vi.waitUntil(() => sink.records.length === 1, patience);
  });

  test('that is a link to nowhere is taken over', async ({ directory, serve }) => {
    const path = join(directory, 'log');
    symlinkSync(join(directory, 'absent'), path);
    await serve().listen(path);
    expect(statSync(path).isSocket()).toBe(true);
  });

  test('where someone receives is left alone', async ({ directory, serve, sink, client }) => {
    const path = join(directory, 'log');
    await serve().listen(path);
    await expect(serve().listen(path)).rejects.toMatchObject({ code: 'ERR_ADDRESS_IN_USE', path });
    client(path)('x');
    await vi.waitUntil(() => sink.records.length === 1, patience);
    const stream = join(directory, 'stream');
    await serve().listen(stream, { type: 'stream' });
    await expect(serve().listen(stream)).rejects.toMatchObject({ code: 'ERR_ADDRESS_IN_USE' });
    await expect(serve().listen(stream, { type: 'stream' })).rejects.toMatchObject({
      code: 'ERR_ADDRESS_IN_USE',
    });
  });

  test('with another file is left alone', async ({ directory, serve }) => {
    const path = join(directory, 'log');
    writeFileSync(path, 'precious');
    await expect(serve().listen(path)).rejects.toMatchObject({ code: 'ERR_ADDRESS_IN_USE' });
    expect(statSync(path).size).toBe(8);
  });

  test('that was replaced meanwhile is not removed', async ({ directory, serve }) => {
    const path = join(directory, 'log');
    const server = serve();
    await server.listen(path);
    rmSync(path);
    await serve().listen(path);
    await server.close();
    expect(existsSync(path)).toBe(true);
  });
});

describe('streams', () => {
  test.for([
    ['NUL', '\0'],
    ['newline', '\n'],
  ] as const)('of messages that end with %s', async ([, end], { directory, serve, sink, client }) => {
    const path = join(directory, 'log');
    const server = serve();
    await server.listen(path, { type: 'stream' });
    expect(statSync(path).mode & 0o777).toBe(0o666);
    const send = client(path, SOCK_STREAM);
    send(`<11>backup[1]: one${end}<14>backup: two${end}<1`);
    await vi.waitUntil(() => sink.records.length === 2, patience);
    send(`2>three${end}`);
    await vi.waitUntil(() => sink.records.length === 3, patience);
    expect(sink.messages).toEqual(['one', 'two', 'three']);
    expect(sink.records[0]).toMatchObject({ pid: process.pid, isCorrected: true, severity: 3 });
    expect(sink.records[2]).toMatchObject({ severity: 4 });
    expect(server.counters.connections).toBe(1);
  });

  test('that end in the middle of a message', async ({ directory, serve, sink }) => {
    const path = join(directory, 'log');
    const server = serve();
    await server.listen(path, { type: 'stream' });
    const fd = linux.socket(AF_UNIX, SOCK_STREAM);
    linux.connect(fd, { family: 'unix', path });
    linux.send(fd, Buffer.from('one\0unfinished'), 0, 14, 0);
    linux.close(fd);
    await vi.waitUntil(() => sink.records.length === 2, patience);
    expect(sink.messages).toEqual(['one', 'unfinished']);
    await vi.waitUntil(() => server.counters.connections === 0, patience);
  });

  test('wait while the sink is full, and lose nothing', async ({ directory, serve, sink, client }) => {
    const path = join(directory, 'log');
    const server = serve({ maxMessageBytes: 1024 });
    await server.listen(path, { type: 'stream' });
    sink.block();
    const messages = Array.from({ length: 2000 }, (_, index) => `${index} ${'x'.repeat(index % 900)}`);
    const send = client(path, SOCK_STREAM);
    let rest = Buffer.from(messages.map((message) => `${message}\0`).join(''));
    const isBlocked = () => {
      for (let sent = 1; sent > 0 && rest.length > 0; rest = rest.subarray(Math.max(0, sent)))
        sent = send(rest);
      return server.counters.waits > 0;
    };
    await vi.waitUntil(isBlocked, patience);
    // One message at a time, and refused in between.
    const write = sink.write.bind(sink);
    let turn = 0;
    sink.write = (record) => turn++ % 3 === 2 && write(record);
    sink.open();
    await vi.waitUntil(() => isBlocked() && sink.records.length === messages.length, patience);
    expect(sink.messages.every((message, index) => message === messages[index])).toBe(true);
  });

  test('are refused when there are too many', async ({ directory, serve, sink, client }) => {
    const path = join(directory, 'log');
    const server = serve({ maxConnections: 1 });
    await server.listen(path, { type: 'stream' });
    const send = client(path, SOCK_STREAM);
    send('one\0');
    await vi.waitUntil(() => sink.records.length === 1, patience);
    client(path, SOCK_STREAM);
    await vi.waitUntil(() => server.counters.refused === 1, patience);
    send('two\0');
    await vi.waitUntil(() => sink.records.length === 2, patience);
  });

  test('are read to what was sent when it closes', async ({ directory, serve, sink, client }) => {
    const path = join(directory, 'log');
    const server = serve();
    await server.listen(path, { type: 'stream' });
    const send = client(path, SOCK_STREAM);
    send('one\0');
    await vi.waitUntil(() => sink.records.length === 1, patience);
    send('two\0three');
    client(path, SOCK_STREAM)('of a connection that is not accepted yet');
    await server.close();
    expect(sink.messages.toSorted()).toEqual([
      'of a connection that is not accepted yet',
      'one',
      'three',
      'two',
    ]);
    expect(existsSync(path)).toBe(false);
    expect(server.counters.connections).toBe(0);
  });
});

describe('a socket that a service manager has made', () => {
  test('is received from, and left to the next', async ({ directory, serve, sink, client }) => {
    const path = join(directory, 'log');
    const manager = linux.socket(AF_UNIX, SOCK_DGRAM);
    linux.bind(manager, { family: 'unix', path });
    const send = client(path);
    for (const text of ['one', 'two']) {
      const server = serve();
      await server.adopt(linux.dup(manager));
      send(text);
      await vi.waitUntil(() => sink.messages.includes(text), patience);
      await server.close();
    }
    expect(send('three')).toBe(5);
    linux.close(manager);
    expect(existsSync(path)).toBe(true);
    expect(sink.messages).toEqual(['one', 'two']);
  });

  test('may listen for streams', async ({ directory, serve, sink, client }) => {
    const path = join(directory, 'log');
    const manager = linux.socket(AF_UNIX, SOCK_STREAM);
    linux.bind(manager, { family: 'unix', path });
    linux.listen(manager, 5);
    const server = serve();
    await server.adopt(linux.dup(manager));
    client(path, SOCK_STREAM)('one\0');
    await vi.waitUntil(() => sink.records.length === 1, patience);
    await server.close();
    linux.close(manager);
    expect(existsSync(path)).toBe(true);
  });
});

test('other processes are told apart', async ({ directory, serve, sink }) => {
  const path = join(directory, 'log');
  await serve().listen(path);
  const program =
    'import os,socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\ns.sendto(b"<13>x[%d]: hi" % os.getpid(),sys.argv[1])';
  const children = Array.from({ length: 3 }, () => spawn('python3', ['-c', program, path]));
  await Promise.all(children.map((child) => once(child, 'exit')));
  await vi.waitUntil(() => sink.records.length === 3, patience);
  expect(new Set(sink.records.map(({ senderPid }) => senderPid))).toEqual(
    new Set(children.map(({ pid }) => pid)),
  );
  expect(sink.records.some(({ isCorrected }) => isCorrected)).toBe(false);
});

test('a limit that makes no sense is refused', ({ sink }) => {
  for (const maxMessageBytes of [0, 1023, 1.5, 2 ** 21])
    expect(() => new DevLogServer({ sink, maxMessageBytes })).toThrow(RangeError);
});
