import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { isMainThread, parentPort } from 'node:worker_threads';
import {
  Cid,
  connect,
  connectSeqpacket,
  createServer,
  listen,
  listenDescriptors,
  listenSeqpacket,
  passedSockets,
  type VsockError,
} from '@vm-tools/vsock';

/** What this program is when a check starts it as another process or thread. */
export const roles: Readonly<Record<string, (...args: string[]) => Promise<void>>> = {
  /** Serves one connection on the socket that was passed. */
  activated: async () => {
    const [socket] = passedSockets();
    const listener = await listen(`unix-fd:${socket?.fd}`);
    const connection = await listener.accept();
    await listener.close();
    connection.end('activated');
  },

  /** Serves one connection in a worker of node:cluster. */
  clustered: async (port) => {
    const server = createServer((socket) => {
      socket.end(`cluster worker ${process.pid}`);
      server.close(() => process.disconnect());
    });
    server.listen({ cid: Cid.local, port: Number(port) });
    await once(server, 'listening');
    process.send?.('listening');
  },

  /** Connects that many times, by streams and by messages, and prints what that left behind. With --expose-gc. */
  leaking: async (count) => {
    const left = await leftBy(Number(count));
    process.stdout.write(`${JSON.stringify(left)}\n`);
    process.exit();
  },

  /** Connects to a port of the host that does not answer, and prints how that ended and what it left open. */
  impatient: async (port) => {
    const outcomes = new Set<string>();
    const before = readdirSync('/proc/self/fd').length;
    // A host that is held up for long may say no in the end, before this program's patience is over.
    while (!outcomes.has('ERR_VSOCK_TIMEOUT')) {
      const failed = connect({ cid: Cid.host, port: Number(port), timeoutMs: 50 });
      outcomes.add(
        await failed.then(
          () => 'connected',
          ({ code }: VsockError) => code,
        ),
      );
    }
    outcomes.delete('ECONNRESET');
    const left = readdirSync('/proc/self/fd').length - before;
    process.stdout.write(`${JSON.stringify({ outcomes: [...outcomes], left })}\n`);
    process.exit();
  },

  /** Has one of everything open, until it is terminated. */
  threaded: async (...ports) => {
    await everything(ports.map(Number));
    parentPort?.postMessage('ready');
  },

  /** Has one of everything open, and ends as it is told. */
  exiting: async (how, port) => {
    const open = await everything([0, 1, 2, 3].map((offset) => Number(port) + 50_000 + offset));
    if (how === 'exit') process.exit(3);
    if (how === 'throw') throw new Error('in the midst');
    for (const close of open) close();
  },
};

interface Held {
  readonly bytes: number;
  readonly descriptors: number;
  /** Handles and requests of the event loop. */
  readonly resources: number;
}

function held(): Held {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  return {
    bytes: process.memoryUsage.rss(),
    descriptors: readdirSync('/proc/self/fd').length,
    resources: process.getActiveResourcesInfo().length,
  };
}

/** What one more window of connections adds: a leak adds in every window, the settling of the heap only in some. */
async function leftBy(count: number): Promise<Held> {
  const server = createServer((socket) => socket.resume());
  server.listen({ cid: Cid.local, port: 20_000 });
  await once(server, 'listening');
  using seqpacket = listenSeqpacket({ cid: Cid.local, port: 20_001 });
  const round = async () => {
    const socket = await connect({ cid: Cid.local, port: 20_000 });
    const closed = once(socket.resume(), 'close');
    socket.end('x');
    await closed;
  };
  const messages = async () => {
    const accepting = seqpacket.accept();
    using a = await connectSeqpacket({ cid: Cid.local, port: 20_001 });
    using b = await accepting;
    await a.send(Buffer.from('x'));
    await b.receive();
  };
  const windowOf = async (connections: number) => {
    for (let i = 0; i < connections; i += 10) {
      await Promise.all(Array.from({ length: 10 }, round));
      if (i % 100 === 0) await messages();
    }
    while (await new Promise((resolve) => server.getConnections((_, open) => resolve(open > 0)))) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  await windowOf(count / 10);
  let least: Held = { bytes: Number.POSITIVE_INFINITY, descriptors: Number.POSITIVE_INFINITY, resources: 0 };
  for (let window = 0; window < 9; window++) {
    const before = held();
    await windowOf(count / 10);
    const after = held();
    least = {
      bytes: Math.min(least.bytes, after.bytes - before.bytes),
      descriptors: Math.min(least.descriptors, after.descriptors - before.descriptors),
      resources: after.resources - before.resources,
    };
  }
  server.close();
  return least;
}

/** Streams, messages, listeners, a send and a read that wait; returns what ends each. */
async function everything(ports: readonly number[]): Promise<(() => void)[]> {
  const [streams = 0, listened = 0, messages = 0, descriptors = 0] = ports;
  const server = createServer((socket) => socket.on('error', () => undefined));
  server.listen({ cid: Cid.local, port: streams });
  await once(server, 'listening');
  const client = await connect({ cid: Cid.local, port: streams });
  client.write('x');
  const listener = await listen(`vsock:local:${listened}`);
  listener.accept().catch(() => undefined);
  const seqpacket = listenSeqpacket({ cid: Cid.local, port: messages });
  const message = await connectSeqpacket({ cid: Cid.local, port: messages });
  const other = await seqpacket.accept();
  const waiting = Array.from({ length: 5 }, () => message.send(Buffer.alloc(100_000)));
  for (const each of [...waiting, message.receive()]) each.catch(() => undefined);
  await waiting[0];
  const raw = await listenDescriptors(`vsock:local:${descriptors}`, { onConnection: () => undefined });
  const connecting = connect({ cid: Cid.local, port: streams });
  if (!isMainThread) return [];
  const late = await connecting;
  return [
    () => client.destroy(),
    () => late.destroy(),
    () => server.close(),
    () => void listener.close(),
    () => seqpacket.close(),
    () => message.close(),
    () => other.close(),
    () => raw.close(),
  ];
}
