import { join } from 'node:path';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Health } from '../src/gen/grpc/health/v1/health_pb.ts';
import { CrashListener } from '../src/gen/vm_crash_pb.ts';
import { Maitred, ProcessStatus } from '../src/gen/vm_guest_pb.ts';
import { createVmTransport, type RpcServer, serveRpc, type VmTransport } from '../src/index.ts';
import { temporaryFolder } from './folder.ts';
import { PythonProgram } from './python.ts';

const MIB = 1 << 20;

describe("gRPC's client for Python calls our server", () => {
  let folder: Disposable & { path: string };
  let server: RpcServer;
  let python: PythonProgram;
  let dumped = 0;
  let called = 0;
  const aborted: unknown[] = [];

  beforeAll(async () => {
    folder = temporaryFolder();
    const address = `unix:${join(folder.path, 'rpc.sock')}`;
    server = await serveRpc(address, (router) => {
      router.service(Maitred, {
        getKernelVersion: (_, { requestHeader, responseTrailer }) => {
          responseTrailer.set('x-answer', 'yes');
          return { kernelRelease: '6.1', kernelVersion: requestHeader.get('x-question') ?? '' };
        },
        launchProcess: ({ argv, env }) => {
          if (argv.length === 0) throw new ConnectError('nothing to launch: ü', Code.InvalidArgument);
          return { status: ProcessStatus.SIGNALED, code: -Number(env['CODE']) };
        },
        shutdown: (_, { signal }) =>
          new Promise((_resolve, reject) => {
            called++;
            signal.addEventListener('abort', () => {
              aborted.push(signal.reason);
              reject(signal.reason);
            });
          }),
      });
      router.service(CrashListener, {
        sendCrashReport: ({ minidump }) => {
          dumped = minidump.length;
          return {};
        },
      });
    });
    python = new PythonProgram('client.py', address);
  });

  afterAll(async () => {
    await python[Symbol.asyncDispose]();
    await server.close({ graceMs: 0 });
    folder[Symbol.dispose]();
  });

  test('with metadata one way and trailers the other', async () => {
    expect(await python.ask({ ask: 'kernel', text: 'who' })).toEqual({
      release: '6.1',
      version: 'who',
      trailer: 'yes',
    });
  });

  test('with repeated fields, maps, enums and negative numbers', async () => {
    expect(await python.ask({ ask: 'launch', argv: ['true'], env: { CODE: '9' } })).toEqual({
      status: 'SIGNALED',
      code: -9,
    });
  });

  test('and sees the status and text of an error', async () => {
    expect(await python.ask({ ask: 'launch', argv: [], env: {} })).toEqual({
      error: 'INVALID_ARGUMENT',
      details: 'nothing to launch: ü',
    });
  });

  test.each(['/vm_tools.Maitred/Mount', '/vm_tools.Maitred/NoSuch', '/vm_tools.NoSuch/Mount'])(
    'and is told that %s is not implemented',
    async (method) => {
      expect(await python.ask({ ask: 'method', method })).toMatchObject({ error: 'UNIMPLEMENTED' });
    },
  );

  test('with a deadline, at which both ends give up', async () => {
    expect(await python.ask({ ask: 'deadline', seconds: 0.2 })).toMatchObject({ error: 'DEADLINE_EXCEEDED' });
    // On a busy machine a deadline can be over before the call has arrived.
    await vi.waitUntil(() => aborted.length === called, { timeout: 60_000 });
  });

  test('with a message of 64 MiB', async () => {
    expect(await python.ask({ ask: 'crash', size: 64 * MIB })).toEqual({});
    expect(dumped).toBe(64 * MIB);
  });

  test('and is told that a message is too long', async () => {
    expect(await python.ask({ ask: 'crash', size: 65 * MIB })).toMatchObject({ error: 'RESOURCE_EXHAUSTED' });
  });

  test('asks for its health, and watches it', async () => {
    server.health.set('vm_tools.Maitred', 'SERVING');
    expect(await python.ask({ ask: 'health', service: 'vm_tools.Maitred' })).toEqual({ status: 'SERVING' });
    expect(await python.ask({ ask: 'health', service: 'none' })).toMatchObject({ error: 'NOT_FOUND' });
    expect(await python.ask({ ask: 'watch', service: 'vm_tools.Maitred' })).toEqual({ first: 'SERVING' });
    server.health.set('vm_tools.Maitred', 'NOT_SERVING');
    expect(await python.next()).toEqual({ seen: ['SERVING', 'NOT_SERVING'] });
  });

  test.each(['v1', 'v1alpha'])(
    'finds its services by reflection %s, and calls one it knew nothing of',
    async (version) => {
      expect(await python.ask({ ask: 'reflect', version })).toEqual({
        services: [
          'grpc.health.v1.Health',
          'grpc.reflection.v1.ServerReflection',
          'grpc.reflection.v1alpha.ServerReflection',
          'vm_tools.Maitred',
          'vm_tools.cicerone.CrashListener',
        ],
        files: ['vm_guest.proto', 'common.proto', 'google/protobuf/timestamp.proto'],
        release: '6.1',
        nothing: Code.NotFound,
      });
    },
  );
});

describe("our client calls gRPC's server for Python", () => {
  let folder: Disposable & { path: string };
  let python: PythonProgram;
  let address: string;
  let transport: VmTransport;

  beforeAll(async () => {
    folder = temporaryFolder();
    address = `unix:${join(folder.path, 'rpc.sock')}`;
    python = new PythonProgram('server.py', address);
    expect(await python.next()).toEqual({ serves: address });
    transport = createVmTransport(address);
  });

  afterAll(async () => {
    await transport.abort();
    await python[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  test('with metadata one way and trailers the other', async () => {
    let trailer: string | null = null;
    const answer = await createClient(Maitred, transport).getKernelVersion(
      {},
      { headers: { 'x-question': 'who' }, onTrailer: (trailers) => (trailer = trailers.get('x-answer')) },
    );
    expect(answer).toMatchObject({ kernelRelease: '6.1', kernelVersion: 'who' });
    expect(trailer).toBe('yes');
  });

  test('with repeated fields, enums and negative numbers', async () => {
    const answer = await createClient(Maitred, transport).launchProcess({ argv: ['a', 'b'] });
    expect(answer).toMatchObject({ status: ProcessStatus.EXITED, code: -2 });
  });

  test('and sees the status and text of an error', async () => {
    await expect(createClient(Maitred, transport).mount({})).rejects.toMatchObject({
      code: Code.FailedPrecondition,
      rawMessage: 'not before the disk is there: ü',
    });
  });

  test('and is told what is not implemented', async () => {
    await expect(createClient(Maitred, transport).resetIPv6({})).rejects.toMatchObject({
      code: Code.Unimplemented,
    });
  });

  test('with a deadline, at which both ends give up', async () => {
    const call = createClient(Maitred, transport).shutdown({}, { timeoutMs: 200 });
    await expect(call).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    const isUnderWay = async () =>
      (await createClient(Maitred, transport).getResizeStatus({})).resizeInProgress;
    await vi.waitUntil(async () => !(await isUnderWay()), { timeout: 60_000 });
  });

  test('with a message of 64 MiB', async () => {
    const minidump = new Uint8Array(64 * MIB);
    await createClient(CrashListener, transport).sendCrashReport({ minidump, metadata: { exec_name: 'a' } });
    expect(await python.next()).toEqual({ size: 64 * MIB, metadata: { exec_name: 'a' } });
  });

  test('and reads a stream of answers', async () => {
    const states: number[] = [];
    for await (const { status } of createClient(Health, transport).watch({})) states.push(status);
    expect(states).toEqual([1, 2]);
  });

  test('and its pings in a long silent call are endured, for after three it is patient', async () => {
    await using transport = createVmTransport(address, { keepAlive: { intervalMs: 50, timeoutMs: 60_000 } });
    await createClient(Maitred, transport).prepareToSuspend({}, { headers: { 'x-seconds': '1' } });
  });

  test('and is cut off when it pings on, as only our own server endures', async () => {
    const keepAlive = { intervalMs: 50, timeoutMs: 60_000 };
    await using transport = createVmTransport(address, { keepAlive, serverEnduresPings: true });
    const call = createClient(Maitred, transport).prepareToSuspend({}, { headers: { 'x-seconds': '60' } });
    await expect(call).rejects.toMatchObject({ code: Code.Unavailable });
  });
});
