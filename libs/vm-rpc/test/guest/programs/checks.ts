import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { Cid } from '@vm-tools/vsock';
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from '../../../src/gen/grpc/health/v1/health_pb.ts';
import { CrashListener } from '../../../src/gen/vm_crash_pb.ts';
import { Maitred } from '../../../src/gen/vm_guest_pb.ts';
import { admitCids, createVmTransport, type RpcServer, serveRpc } from '../../../src/index.ts';
import { hello } from './hello.ts';

const MIB = 1 << 20;
const PORT = 8888;
const listenAddress = `vsock::${PORT}`;
const address = `vsock:local:${PORT}`;

/** gRPC over AF_VSOCK, between two ends of one machine (CID 1). */
export const checks: Readonly<Record<string, () => Promise<void>>> = {
  'a handler knows by what CID and port it is called': async () => {
    await using _ = await serveRpc(listenAddress, hello());
    await using transport = createVmTransport(address);
    const { kernelRelease } = await createClient(Maitred, transport).getKernelVersion({});
    const { port, ...caller } = JSON.parse(kernelRelease) as { port: number };
    assert.deepEqual(caller, { kind: 'vsock', cid: Cid.local, by: 'kernel' });
    assert.ok(port > 0);
  },

  'a CID that is not accepted gets nowhere, until it is': async () => {
    const accepted = new Set([3]);
    const refused: string[] = [];
    const onRefused = (_: unknown, { message }: Error) => void refused.push(message);
    await using _ = await serveRpc(listenAddress, hello(), { acceptCids: accepted, onRefused });
    await using transport = createVmTransport(address);
    await failsWith(createClient(Maitred, transport).resetIPv6({}), Code.Unavailable);
    assert.match(String(refused[0]), /CID 1 is not accepted/);
    accepted.add(Cid.local);
    await createClient(Maitred, transport).resetIPv6({});
  },

  'an interceptor admits by CID': async () => {
    const admitted = new Set([3]);
    await using _ = await serveRpc(listenAddress, hello(), { interceptors: [admitCids(admitted)] });
    await using transport = createVmTransport(address);
    await failsWith(createClient(Maitred, transport).resetIPv6({}), Code.PermissionDenied);
    admitted.add(Cid.local);
    await createClient(Maitred, transport).resetIPv6({});
  },

  'many calls are under way at once on one connection': async () => {
    await using server = await serveRpc(listenAddress, hello());
    await using transport = createVmTransport(address);
    const { getKernelVersion } = createClient(Maitred, transport);
    const answers = await Promise.all(Array.from({ length: 100 }, () => getKernelVersion({})));
    assert.equal(new Set(answers.map(({ kernelRelease }) => kernelRelease)).size, 1);
    assert.equal(server.connections, 1);
  },

  'a message of 64 MiB arrives': async () => {
    await using _ = await serveRpc(listenAddress, hello());
    await using transport = createVmTransport(address);
    const minidump = new Uint8Array(64 * MIB);
    await createClient(CrashListener, transport).sendCrashReport({
      minidump,
      metadata: { size: String(64 * MIB) },
    });
  },

  'a message that is too long is refused': async () => {
    await using _ = await serveRpc(listenAddress, hello(), { maxMessageBytes: MIB });
    await using transport = createVmTransport(address);
    const minidump = new Uint8Array(MIB + 1);
    const call = createClient(CrashListener, transport).sendCrashReport({ minidump });
    await failsWith(call, Code.ResourceExhausted);
  },

  'a call ends at its deadline, at both ends': async () => {
    let called = 0;
    const reasons: unknown[] = [];
    const shutdown: Parameters<typeof hello>[0] = {
      shutdown: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          called++;
          signal.addEventListener('abort', () => {
            reasons.push(signal.reason);
            reject(signal.reason);
          });
        }),
    };
    await using _ = await serveRpc(listenAddress, hello(shutdown));
    await using transport = createVmTransport(address, { defaultTimeoutMs: 200 });
    await failsWith(createClient(Maitred, transport).shutdown({}), Code.DeadlineExceeded);
    // On a busy machine a deadline can be over before the call has arrived.
    await until(() => reasons.length === called);
  },

  'a stream of answers is read as they come': async () => {
    await using server = await serveRpc(listenAddress, hello());
    await using transport = createVmTransport(address);
    const states: Status[] = [];
    for await (const { status } of createClient(Health, transport).watch({ service: 'disk' })) {
      states.push(status);
      if (states.length === 1) server.health.set('disk', 'SERVING');
      if (states.length === 2) break;
    }
    assert.deepEqual(states, [Status.SERVICE_UNKNOWN, Status.SERVING]);
  },

  'a client waits for a server that is not there yet': async () => {
    await using transport = createVmTransport(address, { retryMs: 60_000 });
    const call = createClient(Maitred, transport).resetIPv6({});
    await using _ = await serveRpc(listenAddress, hello());
    await call;
  },

  'a server that dies is noticed, and its successor found': async () => {
    await using transport = createVmTransport(address);
    const { shutdown, resetIPv6 } = createClient(Maitred, transport);
    {
      await using first = await OtherServer.start();
      await resetIPv6({});
      const call = failsWith(shutdown({}), Code.Unavailable, 'ERR_RPC_LOST');
      first.process.kill('SIGKILL');
      await call;
    }
    await failsWith(resetIPv6({}), Code.Unavailable);
    await using _ = await OtherServer.start();
    await resetIPv6({});
  },

  'a server that is suspended is noticed, and can be used again when it runs': async () => {
    await using server = await OtherServer.start();
    // Impatient: on a busy machine it may lose servers that do run.
    const keepAlive = { intervalMs: 100, timeoutMs: 1_000 };
    await using impatient = createVmTransport(address, { keepAlive });
    server.process.kill('SIGSTOP');
    await failsWith(createClient(Maitred, impatient).shutdown({}), Code.Unavailable, 'ERR_RPC_SILENT');
    server.process.kill('SIGCONT');
    await using transport = createVmTransport(address);
    await createClient(Maitred, transport).resetIPv6({});
  },

  'a server that is closed lets its calls end': async () => {
    const called = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<object>();
    const shutdown = () => {
      called.resolve();
      return answer.promise;
    };
    const server = await serveRpc(listenAddress, hello({ shutdown }));
    await using transport = createVmTransport(address);
    const call = createClient(Maitred, transport).shutdown({});
    await called.promise;
    const closed = server.close({ graceMs: 1e6 });
    await failsWith(createClient(Maitred, transport).resetIPv6({}), Code.Unavailable);
    answer.resolve({});
    await call;
    await closed;
    await using _ = await serveRpc(listenAddress, hello());
    await createClient(Maitred, transport).resetIPv6({});
  },

  'connections leave nothing open': async () => {
    await using server = await serveRpc(listenAddress, hello());
    const round = async () => {
      await using transport = createVmTransport(address);
      await createClient(Maitred, transport).resetIPv6({});
    };
    await round();
    await settled(server);
    const before = descriptors();
    for (let batch = 0; batch < 3; batch++) await Promise.all(Array.from({ length: 20 }, round));
    await settled(server);
    await until(() => descriptors() <= before);
  },
};

async function failsWith(call: Promise<unknown>, code: Code, cause?: string): Promise<void> {
  const error = await call.then(
    () => assert.fail('the call did not fail'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConnectError, String(error));
  assert.equal(error.code, code, error.stack ?? error.message);
  if (cause !== undefined) assert.equal((error.cause as { code?: string }).code, cause);
}

/** A server in a process of its own, which is killed when it is disposed of. */
class OtherServer implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(child: ChildProcess) {
    this.process = child;
    this.#ended = once(child, 'exit');
  }

  static async start(): Promise<OtherServer> {
    const child = spawn(process.execPath, [String(process.argv[1]), 'serve', listenAddress], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [said] = await once(child.stdout as NodeJS.ReadableStream, 'data');
    assert.equal(String(said), 'serves\n');
    return new OtherServer(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill('SIGKILL');
    await this.#ended;
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

function settled(server: RpcServer): Promise<void> {
  return until(() => server.connections === 0);
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
