import { once } from 'node:events';
import type { Socket } from 'node:net';
import {
  Cid,
  type ConnectOptions,
  connect,
  createServer,
  type VsockServer,
  type VsockServerOptions,
} from '@vm-tools/vsock';

/** Ports of the checks, one after the other: a closed one may linger. */
let nextPort = 10_000;

export function freePort(): number {
  return nextPort++;
}

export interface Ends extends AsyncDisposable {
  readonly client: Socket;
  readonly server: Socket;
}

/** A server on a port of its own; closing it is awaited, with everything that it accepted. */
export async function listening(
  options: VsockServerOptions & { readonly backlog?: number; readonly bufferSize?: number } = {},
  onConnection?: (socket: Socket) => void,
): Promise<VsockServer & AsyncDisposable & { port: number }> {
  const port = freePort();
  const { backlog, bufferSize, ...serverOptions } = options;
  const server = createServer(serverOptions, onConnection);
  server.listen({ cid: Cid.local, port, backlog, bufferSize });
  await once(server, 'listening');
  const closed = async () => {
    if (!server.listening) return;
    const ended = once(server, 'close');
    server.close();
    await ended;
  };
  return Object.assign(server, { port, [Symbol.asyncDispose]: closed });
}

/** Both ends of one connection. */
export async function connection(options: Partial<ConnectOptions> = {}): Promise<Ends> {
  const server = await listening({ allowHalfOpen: options.allowHalfOpen });
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = await connect({ cid: Cid.local, port: server.port, ...options });
  const [other] = await accepted;
  for (const socket of [client, other]) socket.on('error', () => undefined);
  return {
    client,
    server: other,
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      other.destroy();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** What comes until the peer ends its side. (A consumer of streams would destroy a Duplex then.) */
export async function received(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'end');
  return Buffer.concat(chunks).toString();
}

/** How long something that must come is waited for; a check that hangs is ended later, and could not say where. */
const PATIENCE_MS = 200_000;

/** Waits until something is so; rejects with what is not, and with what there is, when it does not come. */
export async function until(isSo: () => boolean, thereIs: () => string = () => ''): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`not so within ${PATIENCE_MS} ms: ${isSo} ${thereIs()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What comes; rejects with what did not, when it does not come. */
export async function within<T>(what: string, coming: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`${what}: not within ${PATIENCE_MS} ms`)),
    PATIENCE_MS,
  );
  return await Promise.race([coming, late.promise]).finally(() => clearTimeout(timer));
}
