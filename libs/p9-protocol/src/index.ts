export type { DuplexLike } from './byte-stream.ts';
export { Errno, type ErrnoName, errnoName, P9Error } from './errno.ts';
export type {
  AttachRequest,
  AttributeChanges,
  Created,
  Done,
  FileNode,
  FileSystem,
  FileSystemStatus,
  LockDescription,
  LockRequest,
  Outcome,
  Time,
} from './filesystem.ts';
export { Name } from './name.ts';
export type { Attributes } from './server/attributes.ts';
export type { Connection, ConnectionEnd } from './server/connection.ts';
export type { DirectoryEntries } from './server/directory-entries.ts';
export { serve } from './server/serve.ts';
export {
  DEFAULT_MSIZE,
  LEAST_MSIZE,
  ProtocolError,
  type ServerOptions,
  SMALL_MSIZE,
} from './server/session.ts';
export {
  GetattrMask,
  LockFlags,
  LockStatus,
  LockType,
  OpenFlags,
  SetattrMask,
  UNLINK_DIRECTORY,
  XattrFlags,
} from './wire/flags.ts';
export { Qid, QidType } from './wire/qid.ts';
