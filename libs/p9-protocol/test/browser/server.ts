import { MemoryFileSystem, type MessagePortLike, messagePortStream, serve } from '../../src/index.ts';

/* Runs in a worker of a browser: serves a new filesystem in memory on every port that it gets. */

export function serveOn(port: MessagePortLike): void {
  serve(messagePortStream(port), new MemoryFileSystem({ tree: { greeting: 'hello from the worker\n' } }));
}

/** An empty one, as the conformance checks want it. */
export function serveEmptyOn(port: MessagePortLike): void {
  serve(messagePortStream(port), new MemoryFileSystem());
}

interface WorkerScope {
  addEventListener?(
    type: 'message',
    listener: (event: { data: string; ports: [MessagePortLike] }) => void,
  ): void;
}

(globalThis as WorkerScope).addEventListener?.('message', ({ data, ports: [port] }) => {
  if (data === 'empty') serveEmptyOn(port);
  else serveOn(port);
});
