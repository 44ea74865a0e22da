export {
  type EmptyReason,
  PSTORE_DIRECTORY,
  type PstoreDump,
  type PstoreFile,
  type PstoreFs,
  type PstoreFsOptions,
  readPstoreFs,
} from './pstore-fs.ts';
export { type RegionFile, type RegionFileOptions, readRegionFile } from './region-file.ts';
export { type WatchConsoleOptions, watchConsole } from './watch-console.ts';
