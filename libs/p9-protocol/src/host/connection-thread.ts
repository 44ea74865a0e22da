import { parentPort, workerData } from 'node:worker_threads';
import type { FileSystem } from '../filesystem.ts';
import type { ConnectionEnd } from '../server/connection.ts';
import type { ServerOptions } from '../server/session.ts';
import { HostFileSystem } from './host-file-system.ts';
import type { HostFileSystemOptions } from './host-options.ts';
import { serveDescriptor } from './serve-descriptor.ts';
import { servePolled } from './serve-polled.ts';

/**
 * The thread in which connections are served: one of its own for a connection that it then waits for in recv(2), or one that
 * connections share by epoll.
 */

/** What the thread is started with. */
export interface ThreadStart {
  /** The only connection; undefined when connections come as messages. */
  fd: number | undefined;
  module: string | undefined;
  options: unknown;
  server: Omit<ServerOptions, 'onWarning'> | undefined;
}

/** What a shared thread is told: serve the connection on a descriptor, or 'end', once it serves none. */
export type ThreadOrder = { serve: number } | 'end';

/** What the thread tells, of the connection on `fd`. */
export type ThreadReport = { fd: number } & ({ warning: string } | { end: ConnectionEnd });

const { fd: only, module, options, server } = workerData as ThreadStart;

if (only === undefined) serveShared();
else void serveOnly(only);

async function serveOnly(fd: number): Promise<void> {
  const fs = await createFileSystem();
  const end = await serveDescriptor(fd, fs, serverOptions(fd));
  dispose(fs);
  tell({ fd, end });
}

/** The connections share a filesystem. */
function serveShared(): void {
  const made = createFileSystem();
  parentPort?.on('message', async (order: ThreadOrder) => {
    const fs = await made;
    if (order === 'end') {
      dispose(fs);
      parentPort?.close();
    } else {
      const fd = order.serve;
      tell({ fd, end: await servePolled(fd, fs, serverOptions(fd)) });
    }
  });
}

function dispose(fs: FileSystem & Partial<Disposable>): void {
  fs[Symbol.dispose]?.();
}

async function createFileSystem(): Promise<FileSystem> {
  if (module === undefined) return new HostFileSystem(options as HostFileSystemOptions);
  const loaded: { createFileSystem?: unknown } = await import(module);
  if (typeof loaded.createFileSystem !== 'function') {
    throw new TypeError(`${module} must export a function createFileSystem(options)`);
  }
  return await loaded.createFileSystem(options);
}

function serverOptions(fd: number): ServerOptions {
  return { ...server, onWarning: (warning) => tell({ fd, warning }) };
}

function tell(report: ThreadReport): void {
  parentPort?.postMessage(report);
}
