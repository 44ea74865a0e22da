import { type MessagePort, parentPort } from 'node:worker_threads';
import type { FileSystem } from '../src/filesystem.ts';
import { HostFileSystem } from '../src/host/host-file-system.ts';
import type { HostFileSystemOptions } from '../src/host/host-options.ts';
import { serveDescriptor } from '../src/host/serve-descriptor.ts';
import { promised } from './promised.ts';

/** A thread that serves the connections it is sent, one after the other. See `served.ts`. */

export interface WorkerStart {
  fd: number;
  options: HostFileSystemOptions;
  server: object;
  isPromised: boolean | 'slow';
  /** Told how the connection ended. */
  port: MessagePort;
}

parentPort?.on('message', async ({ fd, options, server, isPromised, port }: WorkerStart) => {
  const fs = new HostFileSystem(options);
  const end = await serveDescriptor(
    fd,
    isPromised ? promised(fs, isPromised === 'slow') : (fs as FileSystem),
    server,
  );
  fs[Symbol.dispose]();
  port.postMessage(end);
  port.close();
});
