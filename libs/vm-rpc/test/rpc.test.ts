import { statSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { Health, HealthCheckResponse_ServingStatus as Status } from '../src/gen/grpc/health/v1/health_pb.ts';
import { CrashListener } from '../src/gen/vm_crash_pb.ts';
import { Maitred } from '../src/gen/vm_guest_pb.ts';
import { callerOf, createVmTransport, type HandlerError, type RpcError, serveRpc } from '../src/index.ts';
import { temporaryFolder } from './folder.ts';

const MIB = 1 << 20;
let address: string;

beforeEach(() => {
  const folder = temporaryFolder();
  address = `unix:${join(folder.path, 'rpc.sock')}`;
  return () => folder[Symbol.dispose]();
});

describe('a call', () => {
  test('brings a request to the handler, and its answer back', async () => {
    await using server = await serveRpc(address, (router) => {
      router.service(Maitred, { mount9P: ({ port, target }) => ({ error: port + target.length }) });
    });
    await using transport = createVmTransport(server.address);
    expect(await createClient(Maitred, transport).mount9P({ port: 5, target: '/mnt' })).toMatchObject({
      error: 9,
    });
  });

  test('tells the handler who called, from what the kernel knows', async () => {
    const callers: unknown[] = [];
    await using server = await serveRpc(address, (router) => {
      router.service(Maitred, {
        resetIPv6: (_, context) => {
          callers.push(callerOf(context));
          return {};
        },
      });
    });
    await using transport = createVmTransport(server.address);
    await createClient(Maitred, transport).resetIPv6({});
    const { pid } = process;
    expect(callers).toEqual([{ kind: 'unix', pid, uid: process.getuid?.(), gid: process.getgid?.() }]);
  });

  test('that fails with a ConnectError tells it to the caller', async () => {
    await using server = await serveRpc(address, (router) => {
      router.service(Maitred, {
        mount: () => {
          throw new ConnectError('no such device', Code.NotFound);
        },
      });
    });
    await using transport = createVmTransport(server.address);
    const call = createClient(Maitred, transport).mount({});
    await expect(call).rejects.toMatchObject({ code: Code.NotFound, rawMessage: 'no such device' });
  });

  test('that fails otherwise tells the caller nothing, and the server everything', async () => {
    const failures: HandlerError[] = [];
    const error = new Error('of the host');
    const onHandlerError = (failure: HandlerError) => void failures.push(failure);
    await using server = await serveRpc(
      address,
      (router) => {
        router.service(Maitred, {
          mount: () => {
            throw error;
          },
        });
      },
      { onHandlerError },
    );
    await using transport = createVmTransport(server.address);
    const call = createClient(Maitred, transport).mount({});
    await expect(call).rejects.toMatchObject({ code: Code.Internal, rawMessage: 'internal error' });
    expect(failures).toEqual([
      { error, method: 'vm_tools.Maitred.Mount', caller: expect.objectContaining({ kind: 'unix' }) },
    ]);
  });

  test('ends at its deadline, at both ends', async () => {
    let called = 0;
    const reasons: unknown[] = [];
    await using server = await serveRpc(address, (router) => {
      router.service(Maitred, { shutdown: (_, { signal }) => whenAborted(signal, reasons, () => called++) });
    });
    await using transport = createVmTransport(server.address, { defaultTimeoutMs: 100 });
    const { shutdown } = createClient(Maitred, transport);
    await expect(shutdown({})).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    await expect(shutdown({}, { timeoutMs: 50 })).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    // On a busy machine a deadline can be over before the call has arrived.
    await vi.waitUntil(() => reasons.length === called, { timeout: 60_000 });
  });

  test('may not ask for a deadline that is further away than the server allows', async () => {
    await using server = await serveRpc(
      address,
      (router) => {
        router.service(Maitred, { resetIPv6: () => ({}) });
      },
      { maxTimeoutMs: 60_000 },
    );
    await using transport = createVmTransport(server.address);
    const { resetIPv6 } = createClient(Maitred, transport);
    await resetIPv6({}, { timeoutMs: 60_000 });
    await expect(resetIPv6({}, { timeoutMs: 61_000 })).rejects.toMatchObject({ code: Code.InvalidArgument });
  });

  test('that the caller gives up is given up by the handler', async () => {
    const reasons: unknown[] = [];
    await using server = await serveRpc(address, (router) => {
      router.service(Maitred, {
        shutdown: (_, { signal }) => whenAborted(signal, reasons, () => stop.abort()),
      });
    });
    await using transport = createVmTransport(server.address);
    const stop = new AbortController();
    const call = createClient(Maitred, transport).shutdown({}, { signal: stop.signal });
    await expect(call).rejects.toMatchObject({ code: Code.Canceled });
    await vi.waitUntil(() => reasons.length === 1, { timeout: 60_000 });
  });

  test('of which there are many at once all come back, on one connection', async () => {
    await using server = await serveRpc(address, (router) => {
      router.service(Maitred, { mount9P: ({ port }) => ({ error: port }) });
    });
    await using transport = createVmTransport(server.address);
    const { mount9P } = createClient(Maitred, transport);
    const ports = Array.from({ length: 500 }, (_, port) => port);
    const answers = await Promise.all(ports.map((port) => mount9P({ port })));
    expect(answers.map(({ error }) => error)).toEqual(ports);
    expect(server.connections).toBe(1);
  });
});

describe('a message', () => {
  const crashes = (sizes: number[]) => (router: Parameters<Parameters<typeof serveRpc>[1]>[0]) =>
    router.service(CrashListener, {
      sendCrashReport: ({ minidump }) => {
        sizes.push(minidump.length);
        return {};
      },
    });

  test('may have 64 MiB', async () => {
    const sizes: number[] = [];
    await using server = await serveRpc(address, crashes(sizes));
    await using transport = createVmTransport(server.address);
    await createClient(CrashListener, transport).sendCrashReport({ minidump: new Uint8Array(64 * MIB) });
    expect(sizes).toEqual([64 * MIB]);
  });

  test.each(['server', 'client'])('has the size that the %s limits it to', async (end) => {
    const sizes: number[] = [];
    const limit = { maxMessageBytes: MIB };
    await using server = await serveRpc(address, crashes(sizes), end === 'server' ? limit : {});
    await using transport = createVmTransport(server.address, end === 'client' ? limit : {});
    const { sendCrashReport } = createClient(CrashListener, transport);
    await sendCrashReport({ minidump: new Uint8Array(MIB - 10) });
    const call = sendCrashReport({ minidump: new Uint8Array(MIB) });
    await expect(call).rejects.toMatchObject({ code: Code.ResourceExhausted });
    expect(sizes).toEqual([MIB - 10]);
  });

  test('of which a peer has too much under way is refused, and there is room again afterwards', async () => {
    const sizes: number[] = [];
    await using server = await serveRpc(address, crashes(sizes), { maxPendingBytesPerPeer: MIB });
    await using transport = createVmTransport(server.address);
    await using other = createVmTransport(server.address);
    const { sendCrashReport } = createClient(CrashListener, transport);
    const call = sendCrashReport({ minidump: new Uint8Array(2 * MIB) });
    await expect(call).rejects.toMatchObject({ code: Code.ResourceExhausted });
    for (let round = 0; round < 5; round++) {
      await sendCrashReport({ minidump: new Uint8Array(MIB - 100) });
      await createClient(CrashListener, other).sendCrashReport({ minidump: new Uint8Array(MIB - 100) });
    }
    expect(sizes).toEqual(Array(10).fill(MIB - 100));
  });
});

test('what waits in handlers counts too, when nobody waits for it any more', async () => {
  const waiting = Promise.withResolvers<object>();
  const called = Promise.withResolvers<void>();
  await using server = await serveRpc(
    address,
    (router) => {
      router.service(CrashListener, {
        sendCrashReport: () => {
          called.resolve();
          return waiting.promise;
        },
      });
    },
    { maxPendingBytesPerPeer: MIB },
  );
  await using transport = createVmTransport(server.address);
  const { sendCrashReport } = createClient(CrashListener, transport);
  const minidump = new Uint8Array(0.75 * MIB);
  const stop = new AbortController();
  const call = sendCrashReport({ minidump }, { signal: stop.signal });
  const failed = expect(call).rejects.toMatchObject({ code: Code.Canceled });
  await called.promise;
  stop.abort();
  await failed;
  await expect(sendCrashReport({ minidump })).rejects.toMatchObject({ code: Code.ResourceExhausted });
  waiting.resolve({});
  await vi.waitFor(() => sendCrashReport({ minidump }), { timeout: 60_000 });
});

describe('a Unix socket', () => {
  const routes = (router: Parameters<Parameters<typeof serveRpc>[1]>[0]) =>
    router.service(Maitred, { resetIPv6: () => ({}) });

  test('is for its owner alone', async () => {
    await using server = await serveRpc(address, routes);
    expect(server.address).toEqual({ kind: 'unix', path: address.slice(5) });
    expect(statSync(address.slice(5)).mode & 0o777).toBe(0o600);
  });

  test('takes no user that the server does not accept', async () => {
    const refused: unknown[] = [];
    const onRefused = (peer: unknown, { code, message }: RpcError) =>
      void refused.push({ peer, code, message });
    await using server = await serveRpc(address, routes, { acceptUids: [54321], onRefused });
    await using transport = createVmTransport(server.address);
    const call = createClient(Maitred, transport).resetIPv6({});
    await expect(call).rejects.toMatchObject({ code: Code.Unavailable });
    expect(refused[0]).toEqual({
      peer: expect.objectContaining({ kind: 'unix', uid: process.getuid?.() }),
      code: 'ERR_RPC_PEER_REFUSED',
      message: `${address}: a peer was refused: user ${process.getuid?.()} is not accepted`,
    });
  });

  test('is not used when a user listens there whom the client does not accept', async () => {
    await using server = await serveRpc(address, routes);
    await using transport = createVmTransport(server.address, { acceptUids: [54321] });
    const call = createClient(Maitred, transport).resetIPv6({});
    await expect(call).rejects.toMatchObject({
      code: Code.Unavailable,
      cause: { code: 'ERR_RPC_PEER_REFUSED' },
    });
    await using trusting = createVmTransport(server.address, { acceptUids: 'any' });
    await createClient(Maitred, trusting).resetIPv6({});
  });

  test('has no peer with a CID', async () => {
    await using server = await serveRpc(address, routes, { acceptCids: [3] });
    await using transport = createVmTransport(server.address);
    const call = createClient(Maitred, transport).resetIPv6({});
    await expect(call).rejects.toMatchObject({ code: Code.Unavailable });
  });

  test('has as many connections of a peer as it may have', async () => {
    const refused: string[] = [];
    await using server = await serveRpc(address, routes, {
      maxConnectionsPerPeer: 2,
      onRefused: (_, { code }) => refused.push(code),
    });
    await using first = createVmTransport(server.address);
    await using second = createVmTransport(server.address);
    await using third = createVmTransport(server.address);
    await createClient(Maitred, first).resetIPv6({});
    await createClient(Maitred, second).resetIPv6({});
    await expect(createClient(Maitred, third).resetIPv6({})).rejects.toMatchObject({
      code: Code.Unavailable,
    });
    expect(refused).toContain('ERR_RPC_LIMIT');
    await first.close();
    await vi.waitUntil(() => server.connections === 1, { timeout: 60_000 });
    await createClient(Maitred, third).resetIPv6({});
  });
});

describe('what a peer sends that is no gRPC', () => {
  const routes = (router: Parameters<Parameters<typeof serveRpc>[1]>[0]) =>
    router.service(Maitred, { resetIPv6: () => ({}) });

  test.each([
    ['noise', Buffer.from(Array.from({ length: 1000 }, (_, at) => (at * 7919) & 0xff))],
    ['HTTP/1', Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')],
    [
      'a beginning of HTTP/2 and noise',
      Buffer.from(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'\xff'.repeat(99)}`, 'latin1'),
    ],
    ['nothing', Buffer.alloc(0)],
  ])('as %s ends its own connection and nothing else', async (_, bytes) => {
    await using server = await serveRpc(address, routes);
    await new Promise<void>((resolve) => {
      const socket = connect(address.slice(5), () => socket.end(bytes));
      socket.on('error', () => undefined).on('close', () => resolve());
      socket.resume();
    });
    await using transport = createVmTransport(server.address);
    await createClient(Maitred, transport).resetIPv6({});
    await vi.waitUntil(() => server.connections === 1, { timeout: 60_000 });
  });

  test.each<[string, Record<string, string>]>([
    ['an authority that is none', { ':authority': 'a b c' }],
    ['no authority', { ':authority': '' }],
    ['another method', { ':method': 'GET' }],
    ['another content', { 'content-type': 'text/plain' }],
    ['a deadline that is none', { 'grpc-timeout': 'soon' }],
    ['a compression', { 'grpc-encoding': 'gzip' }],
  ])('as a request with %s is refused', async (_, headers) => {
    await using server = await serveRpc(address, routes);
    const session = connectHttp2('http://localhost', { createConnection: () => connect(address.slice(5)) });
    const answer = await new Promise<Record<string, unknown>>((resolve) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/vm_tools.Maitred/ResetIPv6',
        'content-type': 'application/grpc',
        te: 'trailers',
        ...headers,
      });
      let all: Record<string, unknown> = {};
      stream.on('response', (response) => (all = { ...all, ...response }));
      stream.on('trailers', (trailers) => (all = { ...all, ...trailers }));
      stream.on('error', () => undefined).on('close', () => resolve(all));
      stream.resume().end(Buffer.alloc(5));
    });
    expect(answer[':status'] === 200 && answer['grpc-status'] === '0').toBe(false);
    session.destroy();
    await using transport = createVmTransport(server.address);
    await createClient(Maitred, transport).resetIPv6({});
  });
});

describe('the health of a server', () => {
  const routes = (router: Parameters<Parameters<typeof serveRpc>[1]>[0]) =>
    router.service(Maitred, { resetIPv6: () => ({}) });

  test('is that of its services, until it is told otherwise', async () => {
    await using server = await serveRpc(address, routes);
    await using transport = createVmTransport(server.address);
    const { check, list } = createClient(Health, transport);
    expect(await check({})).toMatchObject({ status: Status.SERVING });
    server.health.set('vm_tools.Maitred', 'NOT_SERVING');
    expect(await check({ service: 'vm_tools.Maitred' })).toMatchObject({ status: Status.NOT_SERVING });
    await expect(check({ service: 'none' })).rejects.toMatchObject({ code: Code.NotFound });
    expect(Object.entries((await list({})).statuses).map(([name, { status }]) => [name, status])).toEqual(
      expect.arrayContaining([
        ['', Status.SERVING],
        ['vm_tools.Maitred', Status.NOT_SERVING],
      ]),
    );
  });

  test('is watched until the server ends, and does not keep it from ending', async () => {
    const server = await serveRpc(address, routes);
    await using transport = createVmTransport(server.address);
    const states: Status[] = [];
    for await (const { status } of createClient(Health, transport).watch({ service: 'later' })) {
      states.push(status);
      if (states.length === 1) server.health.set('later', 'SERVING');
      if (states.length === 2) void server.close({ graceMs: 1e9 });
    }
    expect(states).toEqual([Status.SERVICE_UNKNOWN, Status.SERVING, Status.NOT_SERVING]);
    await server.close();
  });

  test('and its reflection can be left out', async () => {
    await using server = await serveRpc(address, routes, { health: false, reflection: false });
    await using transport = createVmTransport(server.address);
    await expect(createClient(Health, transport).check({})).rejects.toMatchObject({
      code: Code.Unimplemented,
    });
  });
});

/** A handler that never answers. */
function whenAborted(signal: AbortSignal, reasons: unknown[], then: () => void = () => {}): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reasons.push(signal.reason);
      reject(signal.reason);
    });
    then();
  });
}
