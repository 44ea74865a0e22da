import { Socket } from 'node:net';
import { MessageChannel, Worker } from 'node:worker_threads';
import { close, constants, socketpair } from '@vm-tools/linux';
import { type AttachOptions, Client } from '../src/client/client.ts';
import type { RemoteNode } from '../src/client/remote-node.ts';
import type { FileSystem } from '../src/filesystem.ts';
import { HostFileSystem } from '../src/host/host-file-system.ts';
import type { HostFileSystemOptions } from '../src/host/host-options.ts';
import { servePolled } from '../src/host/serve-polled.ts';
import { serveThreaded } from '../src/host/serve-threaded.ts';
import type { Connection, ConnectionEnd } from '../src/server/connection.ts';
import { serve } from '../src/server/serve.ts';
import type { ServerOptions } from '../src/server/session.ts';
import type { WorkerStart } from './descriptor-worker.ts';
import { promised } from './promised.ts';

/**
 * - `stream`: on this event loop, over a Node socket
 * - `polled`: on this event loop, on a descriptor
 * - `descriptor`: in a blocked thread that all tests of a file use one after the other, which spares its start
 * - `thread`: in a thread of its own, as `serveThreaded` makes it
 */
export type Transport = 'stream' | 'polled' | 'descriptor' | 'thread';

/** All ways in which requests reach the server and replies leave it; `thread` is `descriptor` again. */
export const transports = ['stream', 'polled', 'descriptor'] as const satisfies Transport[];

export interface Served {
  /** The client's end, nothing said over it yet. */
  socket: Socket;
  connection: Pick<Connection, 'ended'>;
  /** Hangs up, and waits for the server to be done. */
  end(): Promise<void>;
}

export interface ServedClient extends Served {
  client: Client;
  root: RemoteNode;
}

export interface ServeOptions {
  server?: Omit<ServerOptions, 'onWarning'>;
  /** Every outcome of the filesystem is a promise, which may be slow (`promised.ts`); not for `thread`. */
  isPromised?: boolean | 'slow';
}

/** A directory of the host served over a socket pair. */
export function serveHost(
  transport: Transport,
  options: HostFileSystemOptions,
  more: ServeOptions = {},
): Served {
  const { server = {}, isPromised = false } = more;
  const [ours, theirs] = socketpair(constants.AF_UNIX, constants.SOCK_STREAM);
  const socket = new Socket({ fd: ours });
  // A hard end of a connection may reset it; each test looks at what it gets itself.
  socket.on('error', () => {});
  if (transport === 'thread') {
    const connection = serveThreaded(theirs, { options, server });
    return { socket, connection, end: () => hangUp(socket, connection) };
  }
  if (transport === 'descriptor') {
    const connection = serveByWorker({ fd: theirs, options, server, isPromised });
    return { socket, connection, end: () => hangUp(socket, connection) };
  }
  const host = new HostFileSystem(options);
  const fs = isPromised ? promised(host, isPromised === 'slow') : (host as FileSystem);
  const connection =
    transport === 'polled'
      ? servePolledAndClose(theirs, fs, server)
      : serve(new Socket({ fd: theirs }), fs, server);
  const end = async () => {
    await hangUp(socket, connection);
    host[Symbol.dispose]();
  };
  return { socket, connection, end };
}

/** The same with a client that has attached. */
export async function serveHostToClient(
  transport: Transport,
  options: HostFileSystemOptions,
  { msize, attach, ...more }: ServeOptions & { msize?: number; attach?: AttachOptions } = {},
): Promise<ServedClient> {
  const served = serveHost(transport, options, more);
  const client = await Client.connect({ stream: served.socket, ...(msize === undefined ? {} : { msize }) });
  return { ...served, client, root: await client.attach(attach) };
}

async function hangUp(socket: Socket, connection: Pick<Connection, 'ended'>): Promise<void> {
  socket.destroy();
  await connection.ended;
}

function servePolledAndClose(fd: number, fs: FileSystem, server: ServerOptions): Pick<Connection, 'ended'> {
  const ended = servePolled(fd, fs, server);
  void ended.then(() => close(fd));
  return { ended };
}

let worker: Worker | undefined;

/** The worker of this test file serves one connection at a time: each test ends its own before the next begins. */
function serveByWorker(what: Omit<WorkerStart, 'port'>): Pick<Connection, 'ended'> {
  const { port1, port2 } = new MessageChannel();
  const ended = new Promise<ConnectionEnd>((resolve) => port1.once('message', resolve));
  void ended.then(() => {
    close(what.fd);
    port1.close();
  });
  worker ??= new Worker(new URL('./descriptor-worker.ts', import.meta.url));
  worker.unref();
  const start: WorkerStart = { ...what, port: port2 };
  worker.postMessage(start, [port2]);
  return { ended };
}
