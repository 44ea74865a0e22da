import { readdirSync } from 'node:fs';
import { constants, createServer as createHttp2Server } from 'node:http2';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Code, createClient } from '@connectrpc/connect';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { Maitred } from '../src/gen/vm_guest_pb.ts';
import { createVmTransport, type RpcServer, serveRpc } from '../src/index.ts';
import { Child } from './child.ts';
import { temporaryFolder } from './folder.ts';

let path: string;
let address: string;

beforeEach(() => {
  const folder = temporaryFolder();
  path = join(folder.path, 'rpc.sock');
  address = `unix:${path}`;
  return () => folder[Symbol.dispose]();
});

/** A server whose method shutdown answers when it is told to. */
async function serve(at = address) {
  const called = Promise.withResolvers<AbortSignal>();
  const answer = Promise.withResolvers<object>();
  const server = await serveRpc(at, (router) => {
    router.service(Maitred, {
      resetIPv6: () => ({}),
      shutdown: (_, { signal }) => {
        called.resolve(signal);
        signal.addEventListener('abort', () => answer.reject(signal.reason));
        return answer.promise;
      },
    });
  });
  return { server, called: called.promise, answer: () => answer.resolve({}) };
}

describe('when the server dies', () => {
  test('its calls fail with UNAVAILABLE, and the next one reaches the server that was started anew', async () => {
    const first = new Child('serving.ts', address);
    expect(await first.next()).toBe('serves');
    await using transport = createVmTransport(address);
    const { shutdown, resetIPv6 } = createClient(Maitred, transport);
    const call = shutdown({});
    const failed = expect(call).rejects.toMatchObject({
      code: Code.Unavailable,
      cause: { name: 'RpcError', code: 'ERR_RPC_LOST', address },
    });
    expect(await first.next()).toBe('called');
    await first[Symbol.asyncDispose]();
    await failed;
    await expect(resetIPv6({})).rejects.toMatchObject({
      code: Code.Unavailable,
      cause: { code: 'ECONNREFUSED' },
    });
    await using second = new Child('serving.ts', address);
    expect(await second.next()).toBe('serves');
    await resetIPv6({});
  });

  test('every call under way is told', async () => {
    await using child = new Child('serving.ts', address);
    expect(await child.next()).toBe('serves');
    await using transport = createVmTransport(address);
    const { shutdown } = createClient(Maitred, transport);
    const calls = Array.from({ length: 50 }, () => shutdown({}));
    const ended = Promise.allSettled(calls);
    for (const _ of calls) expect(await child.next()).toBe('called');
    child.process.kill('SIGKILL');
    for (const result of await ended) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: Code.Unavailable } });
    }
  });
});

describe('when the server is suspended', () => {
  test('a call fails with UNAVAILABLE, and works when it runs again', async () => {
    await using child = new Child('serving.ts', address);
    expect(await child.next()).toBe('serves');
    await using transport = createVmTransport(address, { keepAlive: { intervalMs: 100, timeoutMs: 1_000 } });
    const { shutdown, resetIPv6 } = createClient(Maitred, transport);
    await vi.waitFor(() => resetIPv6({}), { timeout: 60_000 });
    child.process.kill('SIGSTOP');
    await expect(shutdown({})).rejects.toMatchObject({
      code: Code.Unavailable,
      rawMessage: expect.stringMatching(/nothing was heard for 1100 ms.*suspended/),
      cause: { code: 'ERR_RPC_SILENT' },
    });
    child.process.kill('SIGCONT');
    await vi.waitFor(() => resetIPv6({}), { timeout: 60_000 });
  });

  test('a connection that was idle is asked before a call is made on it', async () => {
    await using child = new Child('serving.ts', address);
    expect(await child.next()).toBe('serves');
    await using transport = createVmTransport(address, { keepAlive: { intervalMs: 1, timeoutMs: 1_000 } });
    const { resetIPv6 } = createClient(Maitred, transport);
    await vi.waitFor(() => resetIPv6({}), { timeout: 60_000 });
    child.process.kill('SIGSTOP');
    // Without the question the call would wait for ever: it has no deadline.
    await expect(resetIPv6({})).rejects.toMatchObject({ cause: { code: 'ERR_RPC_SILENT' } });
    child.process.kill('SIGCONT');
    await vi.waitFor(() => resetIPv6({}), { timeout: 60_000 });
  });
});

describe('when a client is silent', () => {
  test('the server ends its connection', async () => {
    await using server = await serveRpc(address, () => undefined, {
      keepAlive: { intervalMs: 50, timeoutMs: 100 },
    });
    const closed = new Promise((resolve) => {
      const socket = connect(path, () => {
        socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
        // An empty SETTINGS frame (RFC 9113, 6.5): from then on it is a client, but one that answers no ping.
        socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
      });
      socket.resume().on('close', resolve);
    });
    await closed;
    await vi.waitUntil(() => server.connections === 0, { timeout: 60_000 });
  });

  test('but one that answers pings is kept, however little it says', async () => {
    const { server, called, answer } = await serve();
    await using transport = createVmTransport(address, {
      keepAlive: { intervalMs: 5, timeoutMs: 60_000 },
      serverEnduresPings: true,
    });
    const call = createClient(Maitred, transport).shutdown({});
    await called;
    await new Promise((resolve) => setTimeout(resolve, 200));
    answer();
    await call;
    await server.close();
  });
});

describe('when a server is closed', () => {
  test('the calls under way end, and new ones find nobody', async () => {
    const { server, called, answer } = await serve();
    await using transport = createVmTransport(address);
    const { shutdown, resetIPv6 } = createClient(Maitred, transport);
    const call = shutdown({});
    await called;
    let isClosed = false;
    const closed = server.close({ graceMs: 1e9 }).then(() => (isClosed = true));
    await vi.waitUntil(() => !readdirSync(join(path, '..')).includes('rpc.sock'), { timeout: 60_000 });
    await expect(resetIPv6({})).rejects.toMatchObject({ code: Code.Unavailable });
    expect(isClosed).toBe(false);
    answer();
    await call;
    await closed;
    expect(server.connections).toBe(0);
  });

  test('handlers are told when their time is up, and so are callers', async () => {
    const { server, called } = await serve();
    await using transport = createVmTransport(address);
    const call = createClient(Maitred, transport).shutdown({});
    const failed = expect(call).rejects.toMatchObject({
      code: Code.Unavailable,
      rawMessage: 'the server ends',
    });
    const signal = await called;
    await server.close({ graceMs: 10 });
    await failed;
    expect(signal.aborted).toBe(true);
  });

  test('a handler that does not listen keeps nothing open', async () => {
    const called = Promise.withResolvers<void>();
    const server = await serveRpc(address, (router) => {
      router.service(Maitred, {
        shutdown: () => {
          called.resolve();
          return new Promise(() => undefined);
        },
      });
    });
    await using transport = createVmTransport(address);
    const call = createClient(Maitred, transport).shutdown({});
    const failed = expect(call).rejects.toMatchObject({ code: Code.Unavailable });
    await called.promise;
    await server.close({ graceMs: 0 });
    await failed;
    expect(server.connections).toBe(0);
  });

  test('by a signal, it is as if it were closed', async () => {
    const stop = new AbortController();
    const server = await serveRpc(address, () => undefined, { signal: stop.signal });
    stop.abort();
    await server.close();
    await expect(createVmTransport(address).connect()).rejects.toMatchObject({ code: Code.Unavailable });
  });
});

describe('a transport', () => {
  test('connects when the server is there at last', async () => {
    await using transport = createVmTransport(address, { retryMs: 120_000 });
    const call = createClient(Maitred, transport).resetIPv6({});
    const { server } = await serve();
    await call;
    await server.close();
  });

  test('that is closed lets its calls end, and takes no more', async () => {
    const { server, called, answer } = await serve();
    const transport = createVmTransport(address);
    const { shutdown, resetIPv6 } = createClient(Maitred, transport);
    const call = shutdown({});
    await called;
    const closed = transport.close();
    await expect(resetIPv6({})).rejects.toMatchObject({
      code: Code.Unavailable,
      cause: { code: 'ERR_RPC_CLOSED' },
    });
    answer();
    await call;
    await closed;
    await server.close();
  });

  test('that is aborted ends its calls', async () => {
    const { server, called } = await serve();
    const transport = createVmTransport(address);
    const call = createClient(Maitred, transport).shutdown({});
    const failed = expect(call).rejects.toMatchObject({ cause: { code: 'ERR_RPC_CLOSED' } });
    const signal = await called;
    await transport.abort();
    await failed;
    await vi.waitUntil(() => signal.aborted, { timeout: 60_000 });
    await server.close();
  });

  test('gives up connecting when it is closed', async () => {
    const transport = createVmTransport(address, { retryMs: 1e9 });
    const call = expect(transport.connect()).rejects.toMatchObject({ cause: { code: 'ERR_RPC_CLOSED' } });
    await transport.close();
    await call;
  });

  test('closes a connection that has no calls, and opens another one', async () => {
    const { server } = await serve();
    await using transport = createVmTransport(address, { idleTimeoutMs: 20 });
    const { resetIPv6 } = createClient(Maitred, transport);
    for (let round = 0; round < 3; round++) {
      await resetIPv6({});
      await vi.waitUntil(() => server.connections === 0, { timeout: 60_000 });
    }
    await server.close();
  });

  test('closes no connection under a call, however long that takes', async () => {
    const { server, called, answer } = await serve();
    await using transport = createVmTransport(address, { idleTimeoutMs: 10 });
    const { shutdown, resetIPv6 } = createClient(Maitred, transport);
    const call = shutdown({});
    await called;
    await new Promise((resolve) => setTimeout(resolve, 50));
    await resetIPv6({});
    expect(server.connections).toBe(1);
    answer();
    await call;
    await server.close();
  });

  test('keeps no process alive that has no calls', async () => {
    const { server } = await serve();
    await using child = new Child('calling.ts', address);
    child.process.disconnect();
    expect(await child.end()).toBe(0);
    await server.close();
  });

  test('makes a call again that the server has not looked at', async () => {
    let requests = 0;
    const server = createHttp2Server().on('stream', (stream) => {
      stream.on('error', () => undefined).resume();
      if (++requests < 3) return stream.close(constants.NGHTTP2_REFUSED_STREAM);
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.alloc(5));
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    await using transport = createVmTransport(address);
    await createClient(Maitred, transport).resetIPv6({});
    expect(requests).toBe(3);
    requests = -10;
    await expect(createClient(Maitred, transport).resetIPv6({})).rejects.toMatchObject({
      code: Code.Unavailable,
    });
    await transport.close();
    await new Promise((resolve) => server.close(resolve));
  });

  test('leaves nothing open, however often it connects', async () => {
    const { server } = await serve();
    const round = async () => {
      await using transport = createVmTransport(address);
      await createClient(Maitred, transport).resetIPv6({});
    };
    await round();
    await settled(server);
    const before = descriptors();
    for (let batch = 0; batch < 10; batch++) await Promise.all(Array.from({ length: 20 }, round));
    await settled(server);
    await vi.waitUntil(() => descriptors() <= before, { timeout: 60_000 });
    await server.close();
  });
});

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

async function settled(server: RpcServer): Promise<void> {
  await vi.waitUntil(() => server.connections === 0, { timeout: 60_000 });
}
