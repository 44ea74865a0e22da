export { HostFileSystem } from './host-file-system.ts';
export type { HostFileSystemOptions } from './host-options.ts';
export { type HostUser, hostUsers } from './host-users.ts';
export { serveDescriptor } from './serve-descriptor.ts';
export { servePolled } from './serve-polled.ts';
export {
  serveThreaded,
  type ThreadedConnectionOptions,
  type ThreadedOptions,
  ThreadPool,
  type ThreadPoolOptions,
} from './serve-threaded.ts';
