import { Errno } from '../errno.ts';
import type { Outcome } from '../filesystem.ts';
import { offsetsOf } from '../wire/layout.ts';
import { HEADER_SIZE } from '../wire/messages.ts';
import type { Qid } from '../wire/qid.ts';
import type { Answer } from './answer.ts';
import type { Fid } from './fids.ts';
import type { ReplyBuffer } from './reply-buffer.ts';
import type { Request } from './request.ts';
import type { SessionFids } from './session-fids.ts';

/* What makes, changes and removes names in directories. */

const Tlink = offsetsOf('Tlink');
const Tmkdir = offsetsOf('Tmkdir');
const Tmknod = offsetsOf('Tmknod');
const Trename = offsetsOf('Trename');
const Trenameat = offsetsOf('Trenameat');
const Tsymlink = offsetsOf('Tsymlink');
const Tunlinkat = offsetsOf('Tunlinkat');

export function mkdir(fids: SessionFids, request: Request, reply: ReplyBuffer): Answer {
  const fid = fids.find(request);
  if (fid === undefined) return -Errno.EBADF;
  if (fids.fs.mkdir === undefined) return -Errno.EROFS;
  const name = request.first;
  const at = request.string(Tmkdir.name, name);
  if (!name.isEntryName()) return -Errno.EINVAL;
  const outcome = fids.fs.mkdir(fid.node, name, request.u32(at), request.u32(at + 4), request);
  return qidReply(fids, outcome, fid, reply);
}

export function symlink(fids: SessionFids, request: Request, reply: ReplyBuffer): Answer {
  const fid = fids.find(request);
  if (fid === undefined) return -Errno.EBADF;
  if (fids.fs.symlink === undefined) return -Errno.EROFS;
  const { first: name, second: target } = request;
  const at = request.string(request.string(Tsymlink.name, name), target);
  if (!name.isEntryName() || target.hasNul()) return -Errno.EINVAL;
  return qidReply(fids, fids.fs.symlink(fid.node, name, target, request.u32(at), request), fid, reply);
}

export function mknod(fids: SessionFids, request: Request, reply: ReplyBuffer): Answer {
  const fid = fids.find(request);
  if (fid === undefined) return -Errno.EBADF;
  if (fids.fs.mknod === undefined) return -Errno.EROFS;
  const name = request.first;
  const at = request.string(Tmknod.name, name);
  if (!name.isEntryName()) return -Errno.EINVAL;
  const mode = request.u32(at);
  const outcome = fids.fs.mknod(
    fid.node,
    name,
    mode,
    request.u32(at + 4),
    request.u32(at + 8),
    request.u32(at + 12),
    request,
  );
  return qidReply(fids, outcome, fid, reply);
}

export function link(fids: SessionFids, request: Request): Answer {
  const directory = fids.find(request);
  const fid = fids.find(request, Tlink.fid);
  if (directory === undefined || fid === undefined) return -Errno.EBADF;
  if (fids.fs.link === undefined) return -Errno.EROFS;
  request.string(Tlink.name, request.first);
  if (!request.first.isEntryName()) return -Errno.EINVAL;
  return fids.done(fids.fs.link(directory.node, fid.node, request.first, request), directory, fid);
}

export function rename(fids: SessionFids, request: Request): Answer {
  const fid = fids.find(request);
  const directory = fids.find(request, Trename.dfid);
  if (directory === undefined || fid === undefined) return -Errno.EBADF;
  if (fids.fs.rename === undefined) return -Errno.EROFS;
  request.string(Trename.name, request.first);
  if (!request.first.isEntryName()) return -Errno.EINVAL;
  return fids.done(fids.fs.rename(fid.node, directory.node, request.first, request), fid, directory);
}

export function renameat(fids: SessionFids, request: Request): Answer {
  const { first: oldName, second: newName } = request;
  const at = request.string(Trenameat.oldname, oldName);
  request.string(at + 4, newName);
  const from = fids.find(request);
  const to = fids.find(request, at);
  if (from === undefined || to === undefined) return -Errno.EBADF;
  if (fids.fs.renameat === undefined) return -Errno.EROFS;
  if (!oldName.isEntryName() || !newName.isEntryName()) return -Errno.EINVAL;
  return fids.done(fids.fs.renameat(from.node, oldName, to.node, newName, request), from, to);
}

export function unlinkat(fids: SessionFids, request: Request): Answer {
  const fid = fids.find(request);
  if (fid === undefined) return -Errno.EBADF;
  if (fids.fs.unlinkat === undefined) return -Errno.EROFS;
  const at = request.string(Tunlinkat.name, request.first);
  if (!request.first.isEntryName()) return -Errno.EINVAL;
  return fids.done(fids.fs.unlinkat(fid.node, request.first, request.u32(at), request), fid);
}

/** remove(5): the fid is clunked even if the file could not be removed. */
export function remove(fids: SessionFids, request: Request): Answer {
  const fid = fids.find(request);
  if (fid === undefined) return -Errno.EBADF;
  let answer: Answer = -Errno.EROFS;
  try {
    if (fids.fs.remove !== undefined) answer = fids.done(fids.fs.remove(fid.node, request), fid);
  } finally {
    fids.drop(fid);
  }
  return answer;
}

function qidReply(fids: SessionFids, outcome: Outcome<Qid>, fid: Fid, reply: ReplyBuffer): Answer {
  return fids.afterObject(outcome, (qid) => reply.qid(HEADER_SIZE, qid), fid);
}
