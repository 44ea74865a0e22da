import { Errno } from '../errno.ts';
import type { Call } from '../filesystem.ts';
import { Name } from '../name.ts';
import { XattrFlags } from '../wire/flags.ts';
import { offsetsOf } from '../wire/layout.ts';
import { HEADER_SIZE } from '../wire/messages.ts';
import { type Answer, EMPTY_REPLY } from './answer.ts';
import type { ReplyBuffer } from './reply-buffer.ts';
import type { Request } from './request.ts';
import type { ReadyFid, SessionFids } from './session-fids.ts';
import { XattrTransfer } from './xattr-transfer.ts';

/* Extended attributes, each read or written as a fid of its own. */

/** Linux's XATTR_SIZE_MAX: no value is longer. */
const XATTR_SIZE_MAX = 65536;

const Txattrcreate = offsetsOf('Txattrcreate');
const Txattrwalk = offsetsOf('Txattrwalk');

export function xattrwalk(fids: SessionFids, request: Request, reply: ReplyBuffer): Answer {
  const fid = fids.find(request);
  if (fid === undefined) return -Errno.EBADF;
  const name = request.first;
  request.string(Txattrwalk.name, name);
  if (name.hasNul()) return -Errno.EINVAL;
  const list = name.length === 0;
  const made = fids.create(request.u32(Txattrwalk.newfid));
  if (typeof made === 'number') return made;
  const { node } = fid;
  const answer = fids.fill<Uint8Array>(
    made,
    () =>
      (list ? fids.fs.listxattr?.(node, request) : fids.fs.getxattr?.(node, name, request)) ??
      -Errno.EOPNOTSUPP,
    (value) => {
      fids.fs.retain?.(node);
      made.node = node;
      made.xattr = new XattrTransfer(value);
      reply.u64(HEADER_SIZE, value.length);
      return HEADER_SIZE + 8;
    },
  );
  if (typeof answer === 'number') return answer;
  fids.hold(fid);
  return answer.finally(() => fids.unhold(fid));
}

export function xattrcreate(fids: SessionFids, request: Request): Answer {
  const fid = fids.find(request);
  if (fid === undefined) return -Errno.EBADF;
  if (fid.file !== undefined || fid.xattr !== undefined) return -Errno.EINVAL;
  if (fids.fs.setxattr === undefined) return -Errno.EOPNOTSUPP;
  const at = request.string(Txattrcreate.name, request.first);
  if (request.first.length === 0 || request.first.hasNul()) return -Errno.EINVAL;
  const size = request.u64(at);
  const flags = request.u32(at + 8);
  if (size > XATTR_SIZE_MAX) return -Errno.E2BIG;
  if ((flags & ~(XattrFlags.create | XattrFlags.replace)) !== 0) return -Errno.EINVAL;
  fid.xattr = new XattrTransfer(new Uint8Array(size), { name: new Name(request.first.toBytes()), flags });
  return EMPTY_REPLY;
}

/** What the clunk of a Txattrcreate fid does. The kernel client removes an attribute by replacing it with nothing. */
export function setXattr(fids: SessionFids, fid: ReadyFid, transfer: XattrTransfer, call: Call): Answer {
  const { destination, value } = transfer;
  if (destination === undefined || !transfer.isComplete) return -Errno.EINVAL;
  const { name, flags } = destination;
  if (value.length === 0 && flags === XattrFlags.replace) {
    if (fids.fs.removexattr === undefined) return -Errno.EOPNOTSUPP;
    return fids.done(fids.fs.removexattr(fid.node, name, call), fid);
  }
  return fids.done(fids.fs.setxattr?.(fid.node, name, value, flags, call), fid);
}
