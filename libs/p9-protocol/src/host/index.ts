export { HostFileSystem, type HostFileSystemOptions } from './host-file-system.ts';
export { serveDescriptor } from './serve-descriptor.ts';
export { servePolled } from './serve-polled.ts';
export {
  serveThreaded,
  type ThreadedConnectionOptions,
  type ThreadedOptions,
  ThreadPool,
  type ThreadPoolOptions,
} from './serve-threaded.ts';
