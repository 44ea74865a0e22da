import { once } from 'node:events';
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
