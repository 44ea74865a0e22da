export { HostFileSystem, type HostFileSystemOptions } from './host-file-system.ts';
export { serveDescriptor } from './serve-descriptor.ts';
export { serveThreaded, type ThreadedOptions } from './serve-threaded.ts';
