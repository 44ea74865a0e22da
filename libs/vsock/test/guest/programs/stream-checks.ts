import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { Server, Socket } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Cid,
  connect,
  createServer,
  dial,
  dialWithRetry,
  getLocalCid,
  listen,
  localOf,
  type Peer,
  peerOf,
  socketStyle,
  VSOCK_PORT_ANY,
  VsockError,
  vsockFeatures,
} from '@vm-tools/vsock';
import { connection, freePort, listening, received, until } from './ends.ts';

const descriptors = () => readdirSync('/proc/self/fd').length;
/** Handles and requests of the event loop, but for what the program itself has. */
const resources = () =>
  process.getActiveResourcesInfo().filter((name) => !/^(TTYWrap|Pipe(Wrap)?|FSReqPromise)$/.test(name))
    .length;
const fails = (code: string) => (error: unknown) =>
  assert.ok(error instanceof VsockError && error.code === code, `${error}`) ?? true;

/** What holds of stream sockets over the loopback of a guest, whatever style they have. */
export const streamChecks: Readonly<Record<string, () => Promise<void>>> = {
  'sockets and servers have the style that was asked for': async () => {
    const wanted = process.env['VM_TOOLS_VSOCK_SOCKETS'] === 'polled' ? 'polled' : 'libuv';
    assert.equal(await socketStyle(), wanted);
    await using ends = await connection();
    assert.equal(ends.client instanceof Socket, wanted === 'libuv');
    assert.equal(ends.server instanceof Socket, wanted === 'libuv');
    assert.ok(createServer() instanceof Server);
  },

  'an echo comes back, and either side can end first': async () => {
    for (const first of ['client', 'server'] as const) {
      await using ends = await connection({ allowHalfOpen: true });
      const [one, other] = first === 'client' ? [ends.client, ends.server] : [ends.server, ends.client];
      one.end('from one');
      assert.equal(await received(other), 'from one');
      assert.equal(one.readable, true);
      other.end('from the other');
      assert.equal(await received(one), 'from the other');
      await until(() => one.closed && other.closed);
    }
  },

  'an end of the peer ends this side too, unless half-open is meant': async () => {
    await using ends = await connection();
    ends.server.resume();
    ends.client.end();
    await once(ends.server, 'close');
  },

  'both ends know each other': async () => {
    const server = createServer().listen({ cid: Cid.any, port: VSOCK_PORT_ANY });
    await once(server, 'listening');
    const port = Number(/:(\d+)$/.exec(String(server.address()))?.[1]);
    assert.ok(port >= 1024 && port < VSOCK_PORT_ANY, `${server.address()}`);
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const client = await connect({ cid: Cid.local, port });
    const [socket] = await accepted;
    const local = localOf(client);
    assert.equal(local?.kind, 'vsock');
    assert.deepEqual(peerOf(client), { kind: 'vsock', cid: Cid.local, port, by: 'kernel' });
    assert.deepEqual(peerOf(socket), { kind: 'vsock', cid: Cid.local, port: local.port, by: 'kernel' });
    assert.deepEqual(localOf(socket), { kind: 'vsock', cid: Cid.any, port });
    client.destroy();
    socket.destroy();
    server.close();
    await once(server, 'close');
    assert.equal(server.address(), null);
  },

  'a writer waits for a reader, and everything arrives': async () => {
    await using ends = await connection();
    const chunk = Buffer.from(Uint8Array.from({ length: 65_536 }, (_, at) => (at * 31 + (at >> 8)) & 0xff));
    const total = 64;
    const sent = createHash('sha256');
    let isHeldUp = false;
    const writing = (async () => {
      for (let count = 0; count < total; count++) {
        sent.update(chunk);
        if (ends.client.write(chunk)) continue;
        isHeldUp = true;
        await once(ends.client, 'drain');
      }
      ends.client.end();
    })();
    // Nobody reads yet: what the kernel and the stream buffer is all that goes.
    await until(() => isHeldUp);
    await sleep(50);
    assert.ok(ends.client.bytesWritten < total * chunk.length);
    const received = createHash('sha256');
    for await (const data of ends.server) received.update(data as Buffer);
    await writing;
    assert.equal(received.digest('hex'), sent.digest('hex'));
  },

  'onread takes what comes into one buffer': async () => {
    const total = 300_000;
    const own = Buffer.alloc(4096);
    const received: Buffer[] = [];
    await using server = await listening({}, (socket) => socket.end(Buffer.alloc(total, 'x')));
    const client = await connect({
      cid: Cid.local,
      port: server.port,
      onread: {
        buffer: own,
        callback: (count, data) => {
          assert.equal(data, own);
          received.push(Buffer.from(own.subarray(0, count)));
          return true;
        },
      },
    });
    await once(client, 'close');
    assert.ok(Buffer.concat(received).equals(Buffer.alloc(total, 'x')));
  },

  'destroying one end ends the other': async () => {
    await using ends = await connection();
    ends.server.resume();
    ends.client.destroy();
    await once(ends.server, 'close');
    await using half = await connection({ allowHalfOpen: true });
    const failed = once(half.server, 'error') as Promise<[NodeJS.ErrnoException]>;
    half.client.destroy();
    await once(half.server.resume(), 'end');
    half.server.write('x');
    assert.equal((await failed)[0].code, 'EPIPE');
  },

  'a closed port, an unknown CID, an aborted wait are told apart': async () => {
    const port = freePort();
    await assert.rejects(connect({ cid: Cid.local, port }), fails('ECONNRESET'));
    await assert.rejects(
      dial(`vsock:local:${port}`),
      /cannot connect to vsock:1:\d+: .*; see that a program listens/,
    );
    // The guest's device is asked for whom the kernel does not know, and knows nobody else either.
    await assert.rejects(connect({ cid: 77, port }), fails('ECONNRESET'));
    const reason = new Error('enough');
    await assert.rejects(connect({ cid: Cid.local, port, signal: AbortSignal.abort(reason) }), reason);
    await using server = await listening();
    const abort = new AbortController();
    const connecting = connect({ cid: Cid.local, port: server.port, signal: abort.signal });
    abort.abort(reason);
    await assert.rejects(connecting, reason);
  },

  'what cannot be listened on is told': async () => {
    await using server = await listening();
    const failure = async (cid: number, port: number) => {
      const [error] = (await once(createServer().listen({ cid, port }), 'error')) as [VsockError];
      return error.code;
    };
    assert.equal(await failure(Cid.local, server.port), 'EADDRINUSE');
    assert.equal(await failure(77, freePort()), 'EADDRNOTAVAIL');
    assert.throws(() => createServer().listen(80), TypeError);
    await assert.rejects(listen(`vsock:local:${server.port}`), fails('EADDRINUSE'));
  },

  'a closed port can be listened on again, and connections outlive the listener': async () => {
    const port = freePort();
    const first = await listen(`vsock:local:${port}`);
    const client = await dial(`vsock:local:${port}`);
    const socket = await first.accept();
    await first.close();
    const second = await listen(`vsock:local:${port}`);
    socket.end('still there');
    assert.equal(await text(client), 'still there');
    await second.close();
  },

  'a server that is closed before it listens does not': async () => {
    const port = freePort();
    createServer().listen({ cid: Cid.local, port }).close();
    const abort = new AbortController();
    createServer().listen({ cid: Cid.local, port, signal: abort.signal });
    abort.abort();
    // The port is free, for this one and for the next.
    const server = createServer().listen({ cid: Cid.local, port });
    await once(server, 'listening');
    assert.equal(server.listening, true);
    await server[Symbol.asyncDispose]();
    await assert.rejects(connect({ cid: Cid.local, port }), fails('ECONNRESET'));
  },

  'a listener that closes tells who waits in accept': async () => {
    const listener = await listen(`vsock:local:${freePort()}`);
    const waiting = [listener.accept(), listener.accept()];
    const loop = (async () => {
      for await (const _ of listener) assert.fail('nobody connects');
    })();
    await listener.close();
    for (const each of waiting) await assert.rejects(each, fails('ERR_CLOSED'));
    await loop;
    await assert.rejects(listener.accept(), fails('ERR_CLOSED'));
    const abort = new AbortController();
    const other = await listen(`vsock:local:${freePort()}`, { signal: abort.signal });
    const aborted = other.accept();
    abort.abort();
    await assert.rejects(aborted, fails('ERR_CLOSED'));
  },

  'only CIDs that are admitted get in, by a list that may change': async () => {
    const cids = new Set<number>([3]);
    const refused: Peer[] = [];
    let accepted = 0;
    const listener = await listen(`vsock::${freePort()}`, { acceptCids: cids, via: 'kernel' }, (socket) => {
      accepted++;
      socket.end('welcome');
    });
    listener.on('refused', (peer) => refused.push(peer));
    const { address } = listener;
    assert.equal(address.kind, 'vsock');
    const greeting = async () => text(await connect({ cid: Cid.local, port: address.port }));
    assert.equal(await greeting(), '');
    await until(() => refused.length === 1);
    assert.deepEqual(refused[0], { ...refused[0], kind: 'vsock', cid: Cid.local, by: 'kernel' });
    cids.add(Cid.local);
    assert.equal(await greeting(), 'welcome');
    assert.equal(accepted, 1);
    await listener.close();
  },

  'dialWithRetry waits for a server that starts late': async () => {
    const port = freePort();
    let attempts = 0;
    const dialing = dialWithRetry(`vsock:local:${port}`, { onRetry: () => attempts++ });
    await until(() => attempts >= 2);
    const listener = await listen(`vsock:local:${port}`, {}, (socket) => socket.end('hello'));
    assert.equal(await text(await dialing), 'hello');
    await listener.close();
    const late = dialWithRetry(`vsock:local:${port}`, { deadlineMs: 100 });
    await assert.rejects(
      late,
      (error) => error instanceof VsockError && /ECONNRESET|TIMEOUT/.test(error.code),
    );
  },

  'buffers have the size that was asked for': async () => {
    const bufferSize = 1 << 20;
    const accepted: Socket[] = [];
    await using server = await listening({ bufferSize, pauseOnConnect: true }, (socket) =>
      accepted.push(socket),
    );
    const client = await connect({ cid: Cid.local, port: server.port, bufferSize });
    // All of it fits, though nobody reads.
    client.write(Buffer.alloc(bufferSize));
    await until(() => client.writableLength === 0 && accepted.length === 1);
    for (const socket of [client, ...accepted]) socket.destroy();
  },

  'this machine is told by its CID and its transports': async () => {
    assert.equal(getLocalCid(), 3);
    assert.deepEqual(vsockFeatures(), {
      available: true,
      localCid: 3,
      transports: { loopback: true, guests: false, host: true },
      seqpacket: true,
      datagram: false,
      remedies: [],
    });
  },
};

/** What takes many connections. */
export const crowdChecks: Readonly<Record<string, () => Promise<void>>> = {
  '1,000 connections are open at once, and leave nothing behind': async () => {
    const sockets: Socket[] = [];
    const server = await listening({ backlog: 1024 }, (socket) =>
      sockets.push(socket.on('error', () => undefined)),
    );
    const before = { descriptors: descriptors(), resources: resources() };
    const clients = await Promise.all(
      Array.from({ length: 1000 }, () => connect({ cid: Cid.local, port: server.port, timeoutMs: 0 })),
    );
    await until(() => sockets.length === 1000);
    for (const client of clients) client.write('x');
    const echoed = await Promise.all(
      sockets.map(async (socket) => {
        const [data] = (await once(socket, 'data')) as [Buffer];
        socket.write(data);
      }),
    );
    assert.equal(echoed.length, 1000);
    for (const client of clients) assert.equal(String(((await once(client, 'data')) as [Buffer])[0]), 'x');
    for (const client of clients) client.destroy();
    await until(() => sockets.every((socket) => socket.closed));
    await until(() => descriptors() <= before.descriptors && resources() <= before.resources);
    await server[Symbol.asyncDispose]();
  },

  'all at once is not too many for the backlog': async () => {
    await using server = await listening({}, (socket) => socket.end('x'));
    const greetings = Array.from({ length: 400 }, async () =>
      buffer(await connect({ cid: Cid.local, port: server.port, timeoutMs: 0 })),
    );
    assert.equal(Buffer.concat(await Promise.all(greetings)).toString(), 'x'.repeat(400));
  },
};
