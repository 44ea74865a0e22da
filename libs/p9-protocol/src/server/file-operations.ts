import { Errno } from '../errno.ts';
import type { LockRequest, Outcome } from '../filesystem.ts';
import { LockFlags } from '../wire/flags.ts';
import { leastSizeOf, offsetsOf } from '../wire/layout.ts';
import { HEADER_SIZE } from '../wire/messages.ts';
import { QID_SIZE } from '../wire/qid.ts';
import { type Answer, errnoFor, isCount, isPromise } from './answer.ts';
import type { ReplyBuffer } from './reply-buffer.ts';
import type { Request } from './request.ts';
import type { ReadyFid, SessionFids } from './session-fids.ts';

/* Opening and creating files, and what is done with open ones. */

const RLOPEN_SIZE = leastSizeOf('Rlopen');
const RWRITE_SIZE = leastSizeOf('Rwrite');
/** Where the bytes of Rread and Rreaddir begin. */
export const DATA_OFFSET = leastSizeOf('Rread');
/** Reads of fewer bytes are not worth a gap between replies. */
const ALIGN_FROM = 4096;
/** Longest name of a client machine, bytes of UTF-8; Linux's own are of 64 at most (uname(2)). */
const MAX_CLIENT_ID = 4096;

const Tfsync = offsetsOf('Tfsync');
const Tgetlock = offsetsOf('Tgetlock');
const Tlcreate = offsetsOf('Tlcreate');
const Tlock = offsetsOf('Tlock');
const Tlopen = offsetsOf('Tlopen');
const Tread = offsetsOf('Tread');
const Treaddir = offsetsOf('Treaddir');
const Twrite = offsetsOf('Twrite');

export function open(fids: SessionFids, request: Request, reply: ReplyBuffer): Answer {
  const fid = fids.find(request);
  if (fid === undefined) return -Errno.EBADF;
  if (fid.file !== undefined || fid.xattr !== undefined) return -Errno.EINVAL;
  const outcome = fids.fs.open(fid.node, request.u32(Tlopen.flags), request);
  if (isPromise(outcome)) {
    return fids.afterObject(outcome, (file) => opened(fids, fid, file, reply), fid);
  }
  return typeof outcome === 'number' ? errnoFor(outcome) : opened(fids, fid, outcome, reply);
}

export function create(fids: SessionFids, request: Request, reply: ReplyBuffer): Answer {
  const fid = fids.find(request);
  if (fid === undefined) return -Errno.EBADF;
  if (fid.file !== undefined || fid.xattr !== undefined) return -Errno.EINVAL;
  if (fids.fs.create === undefined) return -Errno.EROFS;
  const name = request.first;
  const at = request.string(Tlcreate.name, name);
  if (!name.isEntryName()) return -Errno.EINVAL;
  const outcome = fids.fs.create(
    fid.node,
    name,
    request.u32(at),
    request.u32(at + 4),
    request.u32(at + 8),
    request,
  );
  return fids.afterObject(
    outcome,
    ({ node, file }) => {
      if (fid.file !== undefined || fid.doomed) {
        fids.closeFile(file);
        fids.release(node);
        return -Errno.EINVAL;
      }
      fids.release(fid.node);
      fid.node = node;
      return opened(fids, fid, file, reply);
    },
    fid,
  );
}

export function read(fids: SessionFids, request: Request, reply: ReplyBuffer): Answer {
  const fid = fids.find(request);
  if (fid === undefined) return -Errno.EBADF;
  const offset = request.u64(Tread.offset);
  const count = Math.min(request.u32(Tread.count), fids.msize - DATA_OFFSET);
  if (fid.file === undefined) {
    if (fid.xattr === undefined) return -Errno.EBADF;
    return dataReply(reply, fid.xattr.read(offset, reply.bytes, reply.at + DATA_OFFSET, count));
  }
  if (count >= ALIGN_FROM) reply.align(DATA_OFFSET);
  const outcome = fids.fs.read(fid.file, offset, reply.bytes, reply.at + DATA_OFFSET, count, request);
  if (typeof outcome === 'number') return dataReply(reply, outcome, count);
  return fids.after(outcome, (length) => dataReply(reply, length, count), fid);
}

export function write(fids: SessionFids, request: Request, reply: ReplyBuffer): Answer {
  const fid = fids.find(request);
  if (fid === undefined) return -Errno.EBADF;
  const offset = request.u64(Twrite.offset);
  const count = request.u32(Twrite.data);
  const start = request.start + Twrite.data + 4;
  if (fid.file === undefined) {
    if (fid.xattr === undefined) return -Errno.EBADF;
    return countReply(reply, fid.xattr.write(offset, request.bytes, start, count), count);
  }
  if (fids.fs.write === undefined) return -Errno.EROFS;
  const outcome = fids.fs.write(fid.file, offset, request.bytes, start, count, request);
  if (typeof outcome === 'number') return countReply(reply, outcome, count);
  return fids.after(outcome, (length) => countReply(reply, length, count), fid);
}

export function readdir(fids: SessionFids, request: Request, reply: ReplyBuffer): Answer {
  const fid = fids.find(request);
  if (fid?.file === undefined) return -Errno.EBADF;
  const { entries } = reply;
  const start = reply.at + DATA_OFFSET;
  entries.begin(start, Math.min(request.u32(Treaddir.count), fids.msize - DATA_OFFSET));
  const outcome = fids.fs.readdir(fid.file, request.u64Exact(Treaddir.offset), entries, request);
  if (outcome === undefined || outcome === 0) return dataReply(reply, entries.end - start);
  return fids.after(outcome as Outcome<undefined>, () => dataReply(reply, entries.end - start), fid);
}

export function fsync(fids: SessionFids, request: Request): Answer {
  const fid = fids.find(request);
  if (fid?.file === undefined) return -Errno.EBADF;
  return fids.done(fids.fs.fsync?.(fid.file, request.u32(Tfsync.datasync) !== 0, request), fid);
}

export function lock(fids: SessionFids, request: Request, reply: ReplyBuffer): Answer {
  const fid = fids.find(request);
  if (fid?.file === undefined) return -Errno.EBADF;
  if (fids.fs.lock === undefined) return -Errno.EOPNOTSUPP;
  const flags = request.u32(Tlock.flags);
  if ((flags & ~(LockFlags.block | LockFlags.reclaim)) !== 0) return -Errno.EINVAL;
  return fids.after(
    fids.fs.lock(fid.file, lockRequest(request, flags, Tlock.start), request),
    (status) => {
      reply.u8(HEADER_SIZE, status);
      return HEADER_SIZE + 1;
    },
    fid,
  );
}

export function getlock(fids: SessionFids, request: Request, reply: ReplyBuffer): Answer {
  const fid = fids.find(request);
  if (fid?.file === undefined) return -Errno.EBADF;
  if (fids.fs.getlock === undefined) return -Errno.EOPNOTSUPP;
  return fids.afterObject(
    fids.fs.getlock(fid.file, lockRequest(request, 0, Tgetlock.start), request),
    (lock) => {
      const clientId = new TextEncoder().encode(lock.clientId);
      if (clientId.length > MAX_CLIENT_ID) return -Errno.EIO;
      const at = HEADER_SIZE;
      reply.u8(at, lock.type);
      reply.u64(at + 1, lock.start);
      reply.u64(at + 9, lock.length);
      reply.u32(at + 17, lock.procId);
      reply.u16(at + 21, clientId.length);
      reply.bytes.set(clientId, reply.at + at + 23);
      return at + 23 + clientId.length;
    },
    fid,
  );
}

function opened(fids: SessionFids, fid: ReadyFid, file: object, reply: ReplyBuffer): number {
  if (fid.file !== undefined || fid.doomed) {
    fids.closeFile(file);
    return -Errno.EINVAL;
  }
  fid.file = file;
  reply.qid(HEADER_SIZE, fid.node.qid);
  // iounit 0: the client takes msize less its own header.
  reply.u32(HEADER_SIZE + QID_SIZE, 0);
  return RLOPEN_SIZE;
}

/** Rread and Rreaddir; `length` may be a negative errno. More than was asked for is the filesystem's mistake. */
function dataReply(reply: ReplyBuffer, length: number, most = length): number {
  if (!isCount(length, most)) return errnoFor(length);
  reply.u32(HEADER_SIZE, length);
  return DATA_OFFSET + length;
}

/** Rwrite; `length` may be a negative errno. */
function countReply(reply: ReplyBuffer, length: number, most: number): number {
  if (!isCount(length, most)) return errnoFor(length);
  reply.u32(HEADER_SIZE, length);
  return RWRITE_SIZE;
}

function lockRequest(request: Request, flags: number, startOffset: number): LockRequest {
  request.string(startOffset + 20, request.first);
  return {
    type: request.u8(HEADER_SIZE + 4),
    flags,
    start: request.u64Exact(startOffset),
    length: request.u64Exact(startOffset + 8),
    procId: request.u32(startOffset + 16),
    clientId: request.first.toString(),
  };
}
