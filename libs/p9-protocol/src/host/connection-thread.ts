import { parentPort, workerData } from 'node:worker_threads';
import type { FileSystem } from '../filesystem.ts';
import { HostFileSystem, type HostFileSystemOptions } from './host-file-system.ts';
import { serveDescriptor } from './serve-descriptor.ts';
import type { ThreadMessage, ThreadStart } from './serve-threaded.ts';

/** The thread that `serveThreaded` starts: makes the filesystem, serves the connection, tells how it ended. */

const { fd, module, options, server } = workerData as ThreadStart;

void serveConnection();

async function serveConnection(): Promise<void> {
  const fs = await createFileSystem();
  const end = await serveDescriptor(fd, fs, {
    ...server,
    onWarning: (message) => tell({ warning: message }),
  });
  (fs as Partial<Disposable>)[Symbol.dispose]?.();
  tell({ end });
}

async function createFileSystem(): Promise<FileSystem> {
  if (module === undefined) {
    return new HostFileSystem(options as HostFileSystemOptions);
  }
  const loaded: { createFileSystem?: unknown } = await import(module);
  if (typeof loaded.createFileSystem !== 'function') {
    throw new TypeError(`${module} must export a function createFileSystem(options)`);
  }
  return await loaded.createFileSystem(options);
}

function tell(message: ThreadMessage): void {
  parentPort?.postMessage(message);
}
