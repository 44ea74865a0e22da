export type { DuplexLike } from './byte-stream.ts';
export type { FileAttributes, RemoteFileSystemStatus } from './client/attributes.ts';
export { type AttachOptions, Client, type ConnectOptions } from './client/client.ts';
export { ConnectionError, type ConnectionErrorCode } from './client/connection-error.ts';
export type { DirectoryEntry } from './client/directory-entry.ts';
export type { Path } from './client/path.ts';
export { RawClient } from './client/raw-client.ts';
export { type FsyncOptions, type GetattrOptions, type Lock, RemoteFile } from './client/remote-file.ts';
export { type CreateOptions, type OpenOptions, RemoteNode } from './client/remote-node.ts';
export type { CallOptions, Reply, Request } from './client/request.ts';
export { type ComposedFile, ComposedFileSystem, type ComposedNode } from './compose/composed-file-system.ts';
export { readOnly } from './compose/read-only.ts';
export { Errno, type ErrnoName, errnoName, P9Error } from './errno.ts';
export type {
  AttachRequest,
  AttributeChanges,
  Call,
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
export {
  MemoryFileSystem,
  type MemoryFileSystemOptions,
  type MemoryTree,
} from './memory/memory-file-system.ts';
export { type MessagePortLike, messagePortStream } from './message-port-stream.ts';
export { MissingPackageError } from './missing-package-error.ts';
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
export { decode, encode, encodeInto, messageNameOf, sizeOf } from './wire/codec.ts';
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
export {
  type Message,
  type MessageName,
  MessageType,
  messages,
  NOFID,
  NOTAG,
  VERSION,
} from './wire/messages.ts';
export { Qid, QidType } from './wire/qid.ts';
export { WireError, type WireErrorCode } from './wire/wire-error.ts';
