import { Errno } from '../errno.ts';
import type { FileNode, Outcome } from '../filesystem.ts';
import { offsetsOf } from '../wire/layout.ts';
import { HEADER_SIZE, MAX_WALK_NAMES, NOFID } from '../wire/messages.ts';
import { QID_SIZE } from '../wire/qid.ts';
import { type Answer, EMPTY_REPLY, errnoFor, isPromise } from './answer.ts';
import type { Fid } from './fids.ts';
import type { ReplyBuffer } from './reply-buffer.ts';
import type { Request } from './request.ts';
import type { ReadyFid, SessionFids } from './session-fids.ts';
import { setXattr } from './xattr-operations.ts';

/* Tattach, Twalk and Tclunk: how fids come and go. */

const Tattach = offsetsOf('Tattach');
const Twalk = offsetsOf('Twalk');

export function attach(fids: SessionFids, request: Request, reply: ReplyBuffer): Answer {
  if (request.u32(Tattach.afid) !== NOFID) return -Errno.EINVAL;
  const after = request.string(Tattach.uname, request.first);
  const end = request.string(after, request.second);
  const made = fids.create(request.u32(HEADER_SIZE));
  if (typeof made === 'number') return made;
  const attach = {
    uname: request.first.toString(),
    aname: request.second.toString(),
    nUname: request.u32(end),
  };
  return fids.fill(
    made,
    () => fids.fs.attach(attach, request),
    (node) => {
      made.node = node;
      return reply.qid(HEADER_SIZE, node.qid);
    },
    (node) => fids.release(node),
  );
}

export function walk(fids: SessionFids, request: Request, reply: ReplyBuffer): Answer {
  const fid = fids.find(request);
  if (fid === undefined) return -Errno.EBADF;
  const count = request.u16(Twalk.wnames);
  if (count > MAX_WALK_NAMES) return -Errno.EINVAL;
  const newId = request.u32(Twalk.newfid);
  if (newId === fid.id) {
    if (fid.file !== undefined || fid.xattr !== undefined || fid.busy > 0) return -Errno.EINVAL;
  } else if (newId === NOFID || fids.get(newId) !== undefined) {
    return -Errno.EBADF;
  }
  if (fid.xattr !== undefined) return -Errno.EINVAL;
  fids.fs.retain?.(fid.node);
  return walkOn(fids, request, reply, fid, fid.node, Twalk.wnames + 2, 0);
}

export function clunk(fids: SessionFids, request: Request): Answer {
  const fid = fids.get(request.u32(HEADER_SIZE));
  if (fid === undefined || fid.node === undefined) return -Errno.EBADF;
  const { xattr } = fid;
  if (xattr?.destination === undefined) {
    fids.drop(fid);
    return EMPTY_REPLY;
  }
  // The fid is gone whatever becomes of the attribute (clunk(5)); it lives on for the outcome only.
  fids.hold(fid);
  fids.detach(fid);
  let answer: Answer;
  try {
    answer = setXattr(fids, fid as ReadyFid, xattr, request);
  } catch (error) {
    fids.unhold(fid);
    throw error;
  }
  if (typeof answer !== 'number') return answer.finally(() => fids.unhold(fid));
  fids.unhold(fid);
  return answer;
}

/** Walks from `node`, of which it owns a reference, through the names that begin at `offset`; `walked` are behind it. */
function walkOn(
  fids: SessionFids,
  request: Request,
  reply: ReplyBuffer,
  fid: ReadyFid,
  node: FileNode,
  offset: number,
  walked: number,
  held = false,
): Answer {
  const fs = fids.fs;
  const count = request.u16(Twalk.wnames);
  const name = request.first;
  let failure = 0;
  while (walked < count) {
    offset = request.string(offset, name);
    let outcome: Outcome<FileNode>;
    try {
      outcome = name.isEntryName() ? fs.walk(node, name, request) : -Errno.EINVAL;
    } catch (error) {
      fids.release(node);
      throw error;
    }
    if (isPromise(outcome)) {
      return walkLater(fids, request, reply, fid, node, offset, walked, held, outcome);
    }
    if (typeof outcome === 'number') {
      failure = errnoFor(outcome);
      break;
    }
    fids.release(node);
    node = outcome;
    reply.qid(HEADER_SIZE + 2 + walked++ * QID_SIZE, node.qid);
  }
  return finishWalk(fids, request, reply, fid, node, walked, failure);
}

async function walkLater(
  fids: SessionFids,
  request: Request,
  reply: ReplyBuffer,
  fid: ReadyFid,
  node: FileNode,
  offset: number,
  walked: number,
  held: boolean,
  outcome: Promise<FileNode | number>,
): Promise<number> {
  if (!held) fids.hold(fid);
  try {
    let next: FileNode | number;
    try {
      next = await outcome;
    } catch (error) {
      fids.release(node);
      throw error;
    }
    if (typeof next === 'number') {
      return finishWalk(fids, request, reply, fid, node, walked, errnoFor(next));
    }
    fids.release(node);
    reply.qid(HEADER_SIZE + 2 + walked * QID_SIZE, next.qid);
    return await walkOn(fids, request, reply, fid, next, offset, walked + 1, true);
  } finally {
    if (!held) fids.unhold(fid);
  }
}

/** walk(5): an error only if the first name fails; the new fid only if none does. */
function finishWalk(
  fids: SessionFids,
  request: Request,
  reply: ReplyBuffer,
  fid: ReadyFid,
  node: FileNode,
  walked: number,
  failure: number,
): number {
  const newId = request.u32(Twalk.newfid);
  const inPlace = newId === fid.id;
  let made: Fid | number = failure;
  if (failure === 0) {
    if (fids.isClosed || fid.doomed) made = -Errno.EBADF;
    else if (!inPlace) made = fids.create(newId);
    else made = fid.busy > 1 ? -Errno.EBUSY : fid;
  }
  if (typeof made === 'number') {
    fids.release(node);
    if (walked === 0 || failure === 0) return made;
  } else {
    if (inPlace) fids.release(fid.node);
    made.node = node;
  }
  reply.u16(HEADER_SIZE, walked);
  return HEADER_SIZE + 2 + walked * QID_SIZE;
}
