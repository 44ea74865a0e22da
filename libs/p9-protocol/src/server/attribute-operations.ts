import { Errno } from '../errno.ts';
import type { AttributeChanges, Outcome, Time } from '../filesystem.ts';
import { SetattrMask } from '../wire/flags.ts';
import { leastSizeOf, offsetsOf } from '../wire/layout.ts';
import { HEADER_SIZE } from '../wire/messages.ts';
import { type Answer, errnoFor, isCount } from './answer.ts';
import type { ReplyBuffer } from './reply-buffer.ts';
import type { Request } from './request.ts';
import type { SessionFids } from './session-fids.ts';

/* What is known of a file without opening it. */

const RGETATTR_SIZE = leastSizeOf('Rgetattr');
const Rgetattr = offsetsOf('Rgetattr');
const Rstatfs = offsetsOf('Rstatfs');
const Tgetattr = offsetsOf('Tgetattr');
const Tsetattr = offsetsOf('Tsetattr');

export function getattr(fids: SessionFids, request: Request, reply: ReplyBuffer): Answer {
  const fid = fids.find(request);
  if (fid === undefined) return -Errno.EBADF;
  const { attributes } = reply;
  attributes.begin(reply.at);
  const outcome = fids.fs.getattr(fid.node, request.u32(Tgetattr.mask), attributes, request);
  // The qid comes last: the filesystem may have learned of a new version.
  if (outcome === undefined || outcome === 0) {
    reply.qid(Rgetattr.qid, fid.node.qid);
    return RGETATTR_SIZE;
  }
  const next = () => {
    reply.qid(Rgetattr.qid, fid.node.qid);
    return RGETATTR_SIZE;
  };
  return fids.after(outcome as Outcome<undefined>, next, fid);
}

export function setattr(fids: SessionFids, request: Request): Answer {
  const fid = fids.find(request);
  if (fid === undefined) return -Errno.EBADF;
  if (fids.fs.setattr === undefined) return -Errno.EROFS;
  return fids.done(fids.fs.setattr(fid.node, attributeChanges(request), fid.file, request), fid);
}

export function statfs(fids: SessionFids, request: Request, reply: ReplyBuffer): Answer {
  const fid = fids.find(request);
  if (fid === undefined) return -Errno.EBADF;
  if (fids.fs.statfs === undefined) return -Errno.EOPNOTSUPP;
  return fids.afterObject(
    fids.fs.statfs(fid.node, request),
    (status) => {
      reply.u32(Rstatfs.type, status.type);
      reply.u32(Rstatfs.bsize, status.blockSize);
      reply.u64(Rstatfs.blocks, status.blocks);
      reply.u64(Rstatfs.bfree, status.freeBlocks);
      reply.u64(Rstatfs.bavail, status.availableBlocks);
      reply.u64(Rstatfs.files, status.files);
      reply.u64(Rstatfs.ffree, status.freeFiles);
      reply.u64(Rstatfs.fsid, status.id);
      reply.u32(Rstatfs.namelen, status.nameLength);
      return Rstatfs.namelen + 4;
    },
    fid,
  );
}

export function readlink(fids: SessionFids, request: Request, reply: ReplyBuffer): Answer {
  const fid = fids.find(request);
  if (fid === undefined) return -Errno.EBADF;
  if (fids.fs.readlink === undefined) return -Errno.EINVAL;
  const start = HEADER_SIZE + 2;
  const room = Math.min(fids.msize, reply.bytes.length - reply.at) - start;
  return fids.after(
    fids.fs.readlink(fid.node, reply.bytes, reply.at + start, room, request),
    (length) => {
      // It may have been cut: half a target is none.
      if (length >= room) return -Errno.ENAMETOOLONG;
      if (!isCount(length, room)) return errnoFor(length);
      reply.u16(HEADER_SIZE, length);
      return start + length;
    },
    fid,
  );
}

function attributeChanges(request: Request): AttributeChanges {
  const valid = request.u32(Tsetattr.valid);
  const changes: AttributeChanges = {};
  if (valid & SetattrMask.mode) changes.mode = request.u32(Tsetattr.mode);
  if (valid & SetattrMask.uid) changes.uid = request.u32(Tsetattr.uid);
  if (valid & SetattrMask.gid) changes.gid = request.u32(Tsetattr.gid);
  if (valid & SetattrMask.size) changes.size = request.u64(Tsetattr.size);
  if (valid & SetattrMask.atime) {
    changes.atime = valid & SetattrMask.atimeSet ? time(request, Tsetattr.atimeSec) : 'now';
  }
  if (valid & SetattrMask.mtime) {
    changes.mtime = valid & SetattrMask.mtimeSet ? time(request, Tsetattr.mtimeSec) : 'now';
  }
  if (valid & SetattrMask.ctime) changes.ctime = true;
  return changes;
}

function time(request: Request, offset: number): Time {
  return { seconds: request.i64(offset), nanoseconds: request.u64(offset + 8) };
}
