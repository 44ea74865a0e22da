import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { RawClient } from '../src/client/raw-client.ts';
import { entriesOf, pattern, text, utf8 } from '../src/conformance/check.ts';
import type { FileSystem } from '../src/filesystem.ts';
import { HostFileSystem } from '../src/host/host-file-system.ts';
import { serve } from '../src/server/serve.ts';
import { promised } from './promised.ts';
import { descriptorsInto, scratchDirectory } from './scratch-directory.ts';
import { serveHostToClient, transports } from './served.ts';
import { streamPair } from './stream-pair.ts';

describe.each(transports)('requests that wait for promises, over %s', (transport) => {
  test('keep their names and data while others are received', async () => {
    const served = await serveHostToClient(transport, { root: scratchDirectory() }, { isPromised: true });
    const { root } = served;
    const names = Array.from({ length: 300 }, (_, index) => `file ${index} ${'n'.repeat(index % 50)}`);
    const files = await Promise.all(names.map((name) => root.create(name)));
    expect(await entriesOf(root)).toStrictEqual([...names].sort());
    const write = async (index: number, round: number) => {
      // Each in a piece of its own, sent while those before it wait.
      for (let turns = 0; turns < index % 4; turns++) await new Promise((resolve) => setImmediate(resolve));
      await files[index]?.write(pattern(2000, index + round), 0);
    };
    for (let round = 0; round < 3; round++) await Promise.all(names.map((_, index) => write(index, round)));
    const contents = await Promise.all(names.map((name) => root.readFile(name)));
    for (const [index, content] of contents.entries()) {
      expect(Buffer.compare(content, pattern(2000, index + 2)), names[index]).toBe(0);
    }
    await served.end();
  });

  test('keep the buffer that they came in, when they are the first of their kind', async () => {
    const served = await serveHostToClient(transport, { root: scratchDirectory() }, { isPromised: 'slow' });
    const { root } = served;
    const file = await root.create('data');
    await file.write(pattern(10), 0);
    const names = ['data', 'first'];
    const made: Promise<unknown>[] = [root.mkdir('first')];
    // More than the server receives into at once.
    for (let index = 0; index < 30; index++) made.push(file.write(pattern(100_000), 0));
    for (let index = 0; index < 8; index++) {
      // In a piece of its own, while the first one waits.
      await wait(1);
      names.push(`oth-${index}`);
      made.push(root.mkdir(`oth-${index}`));
    }
    await Promise.all(made);
    expect(await entriesOf(root)).toStrictEqual(names);
    await served.end();
  });

  test('are all answered, however few may wait at once', async () => {
    for (const maxPending of [1, 2, 7]) {
      const served = await serveHostToClient(
        transport,
        { root: scratchDirectory() },
        { isPromised: true, server: { maxPending } },
      );
      const { root } = served;
      await root.writeFile('a', utf8('content'));
      const file = await root.open('a');
      const reads = Array.from({ length: 700 }, () => file.read(0, 7));
      expect(new Set((await Promise.all(reads)).map(text))).toStrictEqual(new Set(['content']));
      await served.end();
    }
  });
});

describe('a connection that is ended by the server', () => {
  async function connected(fs: FileSystem) {
    const [client, server] = streamPair();
    const connection = serve(server, fs);
    const raw = new RawClient(client);
    await raw.negotiate();
    const who = { afid: 0xffffffff, uname: utf8(''), aname: utf8(''), nUname: 0 };
    await raw.call({ message: 'Tattach', fid: 0, ...who });
    return { client, server, connection, raw };
  }

  test('shutdown answers what was received, and closes the stream though the client does not', async () => {
    const host = new HostFileSystem({ root: scratchDirectory() });
    const { server, connection, raw } = await connected(promised(host));
    const replies = Promise.all(
      Array.from({ length: 50 }, () => raw.call({ message: 'Tgetattr', fid: 0, mask: 0x7ffn })),
    );
    for (let turns = 0; turns < 4; turns++) await Promise.resolve();
    connection.shutdown();
    expect((await replies).length).toBe(50);
    expect(await connection.ended).toMatchObject({ reason: 'shutdown' });
    for (let turns = 0; turns < 10 && !server.destroyed; turns++) await new Promise(setImmediate);
    expect(server.destroyed).toBe(true);
    host[Symbol.dispose]();
  });

  test('destroy does so at once, though the client takes nothing and requests wait', async () => {
    const root = scratchDirectory();
    const host = new HostFileSystem({ root });
    const { client, server, connection, raw } = await connected(promised(host));
    client.pause();
    const calls = Array.from({ length: 3000 }, () => raw.call({ message: 'Tgetattr', fid: 0, mask: 0x7ffn }));
    const outcomes = Promise.allSettled(calls);
    for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
    connection.destroy();
    expect(server.destroyed).toBe(true);
    expect(await connection.ended).toMatchObject({
      reason: 'shutdown',
      message: 'the server ended the connection',
    });
    client.resume();
    expect((await outcomes).some(({ status }) => status === 'rejected')).toBe(true);
    for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
    host[Symbol.dispose]();
    expect(descriptorsInto(root)).toStrictEqual([]);
  });

  test('after a violation the stream is closed though the client does not hang up', async () => {
    const host = new HostFileSystem({ root: scratchDirectory() });
    const { client, server, connection, raw } = await connected(host as FileSystem);
    // A client that neither reads nor ends.
    client.pause();
    raw.sendBytes(new Uint8Array(100));
    expect(await connection.ended).toMatchObject({ reason: 'protocol' });
    for (let turns = 0; turns < 10 && !server.destroyed; turns++) await new Promise(setImmediate);
    expect(server.destroyed).toBe(true);
    host[Symbol.dispose]();
  });
});
