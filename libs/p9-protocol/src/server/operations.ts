import { Errno } from '../errno.ts';
import type {
  AttributeChanges,
  Done,
  FileNode,
  FileSystem,
  LockRequest,
  Outcome,
  Time,
} from '../filesystem.ts';
import { Name } from '../name.ts';
import { LockFlags, SetattrMask, XattrFlags } from '../wire/flags.ts';
import { leastSizeOf, offsetsOf } from '../wire/layout.ts';
import { HEADER_SIZE, MAX_WALK_NAMES, MessageType, NOFID } from '../wire/messages.ts';
import { QID_SIZE, type Qid } from '../wire/qid.ts';
import { type Fid, FidTable } from './fids.ts';
import type { ReplyBuffer } from './reply-buffer.ts';
import type { Request } from './request.ts';
import { XattrTransfer } from './xattr-transfer.ts';

/** The size of the reply in bytes, header included, or a negative errno; or a promise of either. */
export type Answer = number | Promise<number>;

/** Linux's XATTR_SIZE_MAX: no value is longer. */
const XATTR_SIZE_MAX = 65536;

const EMPTY_REPLY = HEADER_SIZE;
const RGETATTR_SIZE = leastSizeOf('Rgetattr');
const RLOPEN_SIZE = leastSizeOf('Rlopen');
const RWRITE_SIZE = leastSizeOf('Rwrite');
/** Where the bytes of Rread and Rreaddir begin. */
export const DATA_OFFSET = leastSizeOf('Rread');
/** Reads of fewer bytes are not worth a gap between replies. */
const ALIGN_FROM = 4096;

const Tattach = offsetsOf('Tattach');
const Twalk = offsetsOf('Twalk');
const Tlopen = offsetsOf('Tlopen');
const Tlcreate = offsetsOf('Tlcreate');
const Tsymlink = offsetsOf('Tsymlink');
const Tmknod = offsetsOf('Tmknod');
const Trename = offsetsOf('Trename');
const Tgetattr = offsetsOf('Tgetattr');
const Tsetattr = offsetsOf('Tsetattr');
const Txattrwalk = offsetsOf('Txattrwalk');
const Txattrcreate = offsetsOf('Txattrcreate');
const Tread = offsetsOf('Tread');
const Twrite = offsetsOf('Twrite');
const Treaddir = offsetsOf('Treaddir');
const Tfsync = offsetsOf('Tfsync');
const Tlock = offsetsOf('Tlock');
const Tgetlock = offsetsOf('Tgetlock');
const Tlink = offsetsOf('Tlink');
const Tmkdir = offsetsOf('Tmkdir');
const Trenameat = offsetsOf('Trenameat');
const Tunlinkat = offsetsOf('Tunlinkat');
const Rstatfs = offsetsOf('Rstatfs');
const Rgetattr = offsetsOf('Rgetattr');

/**
 * The operations of one session on its filesystem: each takes a well-formed request, writes its reply's body behind the
 * header and says how long the reply is. Ends with `close`, after which promises still pending change nothing any more.
 */
export class Operations<N extends FileNode, F extends object> {
  readonly #fs: FileSystem<N, F>;
  readonly #msize: number;
  readonly #maxFids: number;
  readonly #fids = new FidTable<N, F>();
  #closed = false;

  constructor(fs: FileSystem<N, F>, limits: { msize: number; maxFids: number }) {
    this.#fs = fs;
    this.#msize = limits.msize;
    this.#maxFids = limits.maxFids;
  }

  /** Ends every fid. */
  close(): void {
    this.#closed = true;
    for (const fid of this.#fids) this.#end(fid);
  }

  serve(request: Request, reply: ReplyBuffer): Answer {
    switch (request.type) {
      case MessageType.Tgetattr:
        return this.#getattr(request, reply);
      case MessageType.Tread:
        return this.#read(request, reply);
      case MessageType.Twrite:
        return this.#write(request, reply);
      case MessageType.Twalk:
        return this.#walk(request, reply);
      case MessageType.Tclunk:
        return this.#clunk(request);
      case MessageType.Tlopen:
        return this.#open(request, reply);
      case MessageType.Treaddir:
        return this.#readdir(request, reply);
      case MessageType.Tlcreate:
        return this.#create(request, reply);
      case MessageType.Tunlinkat:
        return this.#unlinkat(request);
      case MessageType.Tsetattr:
        return this.#setattr(request);
      case MessageType.Tattach:
        return this.#attach(request, reply);
      case MessageType.Tstatfs:
        return this.#statfs(request, reply);
      case MessageType.Treadlink:
        return this.#readlink(request, reply);
      case MessageType.Tsymlink:
        return this.#symlink(request, reply);
      case MessageType.Tmknod:
        return this.#mknod(request, reply);
      case MessageType.Tmkdir:
        return this.#mkdir(request, reply);
      case MessageType.Tlink:
        return this.#link(request);
      case MessageType.Trename:
        return this.#rename(request);
      case MessageType.Trenameat:
        return this.#renameat(request);
      case MessageType.Tremove:
        return this.#remove(request);
      case MessageType.Tfsync:
        return this.#fsync(request);
      case MessageType.Tlock:
        return this.#lock(request, reply);
      case MessageType.Tgetlock:
        return this.#getlock(request, reply);
      case MessageType.Txattrwalk:
        return this.#xattrwalk(request, reply);
      case MessageType.Txattrcreate:
        return this.#xattrcreate(request);
      default:
        // Tauth among them: this answer tells a client that no authentication is needed (attach(5)).
        return -Errno.EOPNOTSUPP;
    }
  }

  // Fids

  /** The fid at `offset` of the request, or undefined where it denotes nothing: EBADF. */
  #fid(request: Request, offset = HEADER_SIZE): ReadyFid<N, F> | undefined {
    const fid = this.#fids.get(request.u32(offset));
    return fid === undefined || fid.node === undefined ? undefined : (fid as ReadyFid<N, F>);
  }

  /** Makes a fid whose node is yet to come; a negative errno when it may not be made. */
  #newFid(id: number): Fid<N, F> | number {
    if (id === NOFID || this.#fids.get(id) !== undefined) return -Errno.EBADF;
    if (this.#fids.size >= this.#maxFids) return -Errno.ENFILE;
    return this.#fids.add(id);
  }

  #drop(fid: Fid<N, F>): void {
    this.#fids.remove(fid);
    this.#end(fid);
  }

  #end(fid: Fid<N, F>): void {
    if (fid.busy > 0) {
      fid.doomed = true;
      return;
    }
    if (fid.file !== undefined) this.#fs.close?.(fid.file);
    if (fid.node !== undefined) this.#fs.release?.(fid.node);
    this.#fids.recycle(fid);
  }

  #idle(fid: Fid<N, F>): void {
    fid.busy--;
    if (fid.doomed && fid.busy === 0) this.#end(fid);
  }

  // Values and promises

  /** Goes on with an outcome now, or when its promise settles; until then the fids stay alive. */
  #then<T>(outcome: Outcome<T>, next: (value: T) => number, fid: Fid<N, F>, other: Fid<N, F> = fid): Answer {
    if (!isPromise(outcome)) return isErrno(outcome) ? outcome : next(outcome as T);
    fid.busy++;
    other.busy++;
    const settled = outcome.then((value) => (isErrno(value) ? value : next(value as T)));
    return settled.finally(() => {
      this.#idle(fid);
      this.#idle(other);
    });
  }

  #done(outcome: Done, fid: Fid<N, F>, other: Fid<N, F> = fid): Answer {
    if (outcome === undefined) return EMPTY_REPLY;
    return this.#then(outcome as Outcome<undefined>, emptyReply, fid, other);
  }

  // The tree

  #attach(request: Request, reply: ReplyBuffer): Answer {
    if (request.u32(Tattach.afid) !== NOFID) return -Errno.EINVAL;
    const after = request.string(Tattach.uname, request.first);
    const end = request.string(after, request.second);
    const made = this.#newFid(request.u32(HEADER_SIZE));
    if (typeof made === 'number') return made;
    const attach = {
      uname: request.first.toString(),
      aname: request.second.toString(),
      nUname: request.u32(end),
    };
    return this.#make(
      made,
      () => this.#fs.attach(attach),
      (node) => {
        made.node = node;
        return reply.qid(HEADER_SIZE, node.qid);
      },
      (node) => this.#fs.release?.(node),
    );
  }

  /** Produces what a new fid stands for, and frees the fid when there is nothing. */
  #make<T>(
    made: Fid<N, F>,
    produce: () => Outcome<T>,
    next: (value: T) => number,
    discard: (value: T) => void,
  ): Answer {
    let outcome: Outcome<T>;
    try {
      outcome = produce();
    } catch (error) {
      this.#drop(made);
      throw error;
    }
    if (!isPromise(outcome)) {
      if (!isErrno(outcome)) return next(outcome as T);
      this.#drop(made);
      return outcome;
    }
    made.busy++;
    const settled = outcome.then(
      (value) => {
        if (!isErrno(value) && !made.doomed) return next(value as T);
        if (!isErrno(value)) discard(value as T);
        if (!made.doomed) this.#drop(made);
        return isErrno(value) ? value : -Errno.EBADF;
      },
      (error) => {
        if (!made.doomed) this.#drop(made);
        throw error;
      },
    );
    return settled.finally(() => this.#idle(made));
  }

  #walk(request: Request, reply: ReplyBuffer): Answer {
    const fid = this.#fid(request);
    if (fid === undefined) return -Errno.EBADF;
    const count = request.u16(Twalk.wnames);
    if (count > MAX_WALK_NAMES) return -Errno.EINVAL;
    const newId = request.u32(Twalk.newfid);
    if (newId === fid.id) {
      if (fid.file !== undefined || fid.xattr !== undefined || fid.busy > 0) return -Errno.EINVAL;
    } else if (newId === NOFID || this.#fids.get(newId) !== undefined) {
      return -Errno.EBADF;
    }
    if (fid.xattr !== undefined) return -Errno.EINVAL;
    this.#fs.retain?.(fid.node);
    return this.#walkOn(request, reply, fid, fid.node, Twalk.wnames + 2, 0);
  }

  /** Walks from `node`, of which it owns a reference, through the names that begin at `offset`; `walked` are behind it. */
  #walkOn(
    request: Request,
    reply: ReplyBuffer,
    fid: ReadyFid<N, F>,
    node: N,
    offset: number,
    walked: number,
    held = false,
  ): Answer {
    const fs = this.#fs;
    const count = request.u16(Twalk.wnames);
    const name = request.first;
    let failure = 0;
    while (walked < count) {
      offset = request.string(offset, name);
      let outcome: Outcome<N>;
      try {
        outcome = name.isEntryName() ? fs.walk(node, name) : -Errno.EINVAL;
      } catch (error) {
        fs.release?.(node);
        throw error;
      }
      if (isPromise(outcome)) {
        return this.#walkLater(request, reply, fid, node, offset, walked, held, outcome);
      }
      if (typeof outcome === 'number') {
        failure = outcome;
        break;
      }
      fs.release?.(node);
      node = outcome;
      reply.qid(HEADER_SIZE + 2 + walked++ * QID_SIZE, node.qid);
    }
    return this.#walked(request, reply, fid, node, walked, failure);
  }

  async #walkLater(
    request: Request,
    reply: ReplyBuffer,
    fid: ReadyFid<N, F>,
    node: N,
    offset: number,
    walked: number,
    held: boolean,
    outcome: Promise<N | number>,
  ): Promise<number> {
    if (!held) fid.busy++;
    try {
      let next: N | number;
      try {
        next = await outcome;
      } catch (error) {
        this.#fs.release?.(node);
        throw error;
      }
      if (typeof next === 'number') return this.#walked(request, reply, fid, node, walked, next);
      this.#fs.release?.(node);
      reply.qid(HEADER_SIZE + 2 + walked * QID_SIZE, next.qid);
      return await this.#walkOn(request, reply, fid, next, offset, walked + 1, true);
    } finally {
      if (!held) this.#idle(fid);
    }
  }

  /** walk(5): an error only if the first name fails; the new fid only if none does. */
  #walked(
    request: Request,
    reply: ReplyBuffer,
    fid: ReadyFid<N, F>,
    node: N,
    walked: number,
    failure: number,
  ): number {
    const newId = request.u32(Twalk.newfid);
    const inPlace = newId === fid.id;
    let made: Fid<N, F> | number = failure;
    if (failure === 0) {
      if (this.#closed || fid.doomed) made = -Errno.EBADF;
      else if (!inPlace) made = this.#newFid(newId);
      else made = fid.busy > 1 ? -Errno.EBUSY : fid;
    }
    if (typeof made === 'number') {
      this.#fs.release?.(node);
      if (walked === 0 || failure === 0) return made;
    } else {
      if (inPlace) this.#fs.release?.(fid.node);
      made.node = node;
    }
    reply.u16(HEADER_SIZE, walked);
    return HEADER_SIZE + 2 + walked * QID_SIZE;
  }

  #clunk(request: Request): Answer {
    const fid = this.#fids.get(request.u32(HEADER_SIZE));
    if (fid === undefined || fid.node === undefined) return -Errno.EBADF;
    const { xattr } = fid;
    if (xattr?.destination === undefined) {
      this.#drop(fid);
      return EMPTY_REPLY;
    }
    // The fid is gone whatever becomes of the attribute (clunk(5)); it lives on for the outcome only.
    this.#fids.remove(fid);
    fid.busy++;
    let answer: Answer;
    try {
      answer = this.#setxattr(fid as ReadyFid<N, F>, xattr);
    } catch (error) {
      this.#release(fid);
      throw error;
    }
    if (typeof answer !== 'number') return answer.finally(() => this.#release(fid));
    this.#release(fid);
    return answer;
  }

  #release(fid: Fid<N, F>): void {
    fid.busy--;
    this.#end(fid);
  }

  // Attributes

  #getattr(request: Request, reply: ReplyBuffer): Answer {
    const fid = this.#fid(request);
    if (fid === undefined) return -Errno.EBADF;
    const { attributes } = reply;
    attributes.begin(reply.at);
    const outcome = this.#fs.getattr(fid.node, request.u32(Tgetattr.mask), attributes);
    // The qid comes last: the filesystem may have learned of a new version.
    if (outcome === undefined || outcome === 0) {
      reply.qid(Rgetattr.qid, fid.node.qid);
      return RGETATTR_SIZE;
    }
    const next = () => {
      reply.qid(Rgetattr.qid, fid.node.qid);
      return RGETATTR_SIZE;
    };
    return this.#then(outcome as Outcome<undefined>, next, fid);
  }

  #setattr(request: Request): Answer {
    const fid = this.#fid(request);
    if (fid === undefined) return -Errno.EBADF;
    if (this.#fs.setattr === undefined) return -Errno.EROFS;
    return this.#done(this.#fs.setattr(fid.node, attributeChanges(request)), fid);
  }

  #statfs(request: Request, reply: ReplyBuffer): Answer {
    const fid = this.#fid(request);
    if (fid === undefined) return -Errno.EBADF;
    if (this.#fs.statfs === undefined) return -Errno.EOPNOTSUPP;
    return this.#then(
      this.#fs.statfs(fid.node),
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

  #readlink(request: Request, reply: ReplyBuffer): Answer {
    const fid = this.#fid(request);
    if (fid === undefined) return -Errno.EBADF;
    if (this.#fs.readlink === undefined) return -Errno.EINVAL;
    const start = HEADER_SIZE + 2;
    const room = Math.min(this.#msize, reply.bytes.length - reply.at) - start;
    return this.#then(
      this.#fs.readlink(fid.node, reply.bytes, reply.at + start, room),
      (length) => {
        reply.u16(HEADER_SIZE, length);
        return start + length;
      },
      fid,
    );
  }

  // Open files

  #open(request: Request, reply: ReplyBuffer): Answer {
    const fid = this.#fid(request);
    if (fid === undefined) return -Errno.EBADF;
    if (fid.file !== undefined || fid.xattr !== undefined) return -Errno.EINVAL;
    const outcome = this.#fs.open(fid.node, request.u32(Tlopen.flags));
    if (isPromise(outcome)) {
      return this.#then(outcome, (file) => this.#opened(fid, file, reply), fid);
    }
    return typeof outcome === 'number' ? outcome : this.#opened(fid, outcome, reply);
  }

  #opened(fid: ReadyFid<N, F>, file: F, reply: ReplyBuffer): number {
    if (fid.file !== undefined || fid.doomed) {
      this.#fs.close?.(file);
      return -Errno.EINVAL;
    }
    fid.file = file;
    reply.qid(HEADER_SIZE, fid.node.qid);
    // iounit 0: the client takes msize less its own header.
    reply.u32(HEADER_SIZE + QID_SIZE, 0);
    return RLOPEN_SIZE;
  }

  #create(request: Request, reply: ReplyBuffer): Answer {
    const fid = this.#fid(request);
    if (fid === undefined) return -Errno.EBADF;
    if (fid.file !== undefined || fid.xattr !== undefined) return -Errno.EINVAL;
    if (this.#fs.create === undefined) return -Errno.EROFS;
    const name = request.first;
    const at = request.string(Tlcreate.name, name);
    if (!name.isEntryName()) return -Errno.EINVAL;
    const outcome = this.#fs.create(
      fid.node,
      name,
      request.u32(at),
      request.u32(at + 4),
      request.u32(at + 8),
    );
    return this.#then(
      outcome,
      ({ node, file }) => {
        if (fid.file !== undefined || fid.doomed) {
          this.#fs.close?.(file);
          this.#fs.release?.(node);
          return -Errno.EINVAL;
        }
        this.#fs.release?.(fid.node);
        fid.node = node;
        return this.#opened(fid, file, reply);
      },
      fid,
    );
  }

  #read(request: Request, reply: ReplyBuffer): Answer {
    const fid = this.#fid(request);
    if (fid === undefined) return -Errno.EBADF;
    const offset = request.u64(Tread.offset);
    const count = Math.min(request.u32(Tread.count), this.#msize - DATA_OFFSET);
    if (fid.file === undefined) {
      if (fid.xattr === undefined) return -Errno.EBADF;
      return dataReply(reply, fid.xattr.read(offset, reply.bytes, reply.at + DATA_OFFSET, count));
    }
    if (count >= ALIGN_FROM) reply.align(DATA_OFFSET);
    const outcome = this.#fs.read(fid.file, offset, reply.bytes, reply.at + DATA_OFFSET, count);
    if (typeof outcome === 'number') return dataReply(reply, outcome);
    return this.#then(outcome, (length) => dataReply(reply, length), fid);
  }

  #write(request: Request, reply: ReplyBuffer): Answer {
    const fid = this.#fid(request);
    if (fid === undefined) return -Errno.EBADF;
    const offset = request.u64(Twrite.offset);
    const count = request.u32(Twrite.data);
    const start = request.start + Twrite.data + 4;
    if (fid.file === undefined) {
      if (fid.xattr === undefined) return -Errno.EBADF;
      return countReply(reply, fid.xattr.write(offset, request.bytes, start, count));
    }
    if (this.#fs.write === undefined) return -Errno.EROFS;
    const outcome = this.#fs.write(fid.file, offset, request.bytes, start, count);
    if (typeof outcome === 'number') return countReply(reply, outcome);
    return this.#then(outcome, (length) => countReply(reply, length), fid);
  }

  #readdir(request: Request, reply: ReplyBuffer): Answer {
    const fid = this.#fid(request);
    if (fid?.file === undefined) return -Errno.EBADF;
    const { entries } = reply;
    const start = reply.at + DATA_OFFSET;
    entries.begin(start, Math.min(request.u32(Treaddir.count), this.#msize - DATA_OFFSET));
    const outcome = this.#fs.readdir(fid.file, request.u64Exact(Treaddir.offset), entries);
    if (outcome === undefined || outcome === 0) return dataReply(reply, entries.end - start);
    return this.#then(outcome as Outcome<undefined>, () => dataReply(reply, entries.end - start), fid);
  }

  #fsync(request: Request): Answer {
    const fid = this.#fid(request);
    if (fid?.file === undefined) return -Errno.EBADF;
    return this.#done(this.#fs.fsync?.(fid.file, request.u32(Tfsync.datasync) !== 0), fid);
  }

  #lock(request: Request, reply: ReplyBuffer): Answer {
    const fid = this.#fid(request);
    if (fid?.file === undefined) return -Errno.EBADF;
    if (this.#fs.lock === undefined) return -Errno.EOPNOTSUPP;
    const flags = request.u32(Tlock.flags);
    if ((flags & ~(LockFlags.block | LockFlags.reclaim)) !== 0) return -Errno.EINVAL;
    return this.#then(
      this.#fs.lock(fid.file, lockRequest(request, flags, Tlock.start)),
      (status) => {
        reply.u8(HEADER_SIZE, status);
        return HEADER_SIZE + 1;
      },
      fid,
    );
  }

  #getlock(request: Request, reply: ReplyBuffer): Answer {
    const fid = this.#fid(request);
    if (fid?.file === undefined) return -Errno.EBADF;
    if (this.#fs.getlock === undefined) return -Errno.EOPNOTSUPP;
    return this.#then(
      this.#fs.getlock(fid.file, lockRequest(request, 0, Tgetlock.start)),
      (lock) => {
        const clientId = new TextEncoder().encode(lock.clientId);
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

  // Names

  #mkdir(request: Request, reply: ReplyBuffer): Answer {
    const fid = this.#fid(request);
    if (fid === undefined) return -Errno.EBADF;
    if (this.#fs.mkdir === undefined) return -Errno.EROFS;
    const name = request.first;
    const at = request.string(Tmkdir.name, name);
    if (!name.isEntryName()) return -Errno.EINVAL;
    const outcome = this.#fs.mkdir(fid.node, name, request.u32(at), request.u32(at + 4));
    return this.#qidReply(outcome, fid, reply);
  }

  #symlink(request: Request, reply: ReplyBuffer): Answer {
    const fid = this.#fid(request);
    if (fid === undefined) return -Errno.EBADF;
    if (this.#fs.symlink === undefined) return -Errno.EROFS;
    const { first: name, second: target } = request;
    const at = request.string(request.string(Tsymlink.name, name), target);
    if (!name.isEntryName() || hasNul(target)) return -Errno.EINVAL;
    return this.#qidReply(this.#fs.symlink(fid.node, name, target, request.u32(at)), fid, reply);
  }

  #mknod(request: Request, reply: ReplyBuffer): Answer {
    const fid = this.#fid(request);
    if (fid === undefined) return -Errno.EBADF;
    if (this.#fs.mknod === undefined) return -Errno.EROFS;
    const name = request.first;
    const at = request.string(Tmknod.name, name);
    if (!name.isEntryName()) return -Errno.EINVAL;
    const mode = request.u32(at);
    const outcome = this.#fs.mknod(
      fid.node,
      name,
      mode,
      request.u32(at + 4),
      request.u32(at + 8),
      request.u32(at + 12),
    );
    return this.#qidReply(outcome, fid, reply);
  }

  #qidReply(outcome: Outcome<Qid>, fid: Fid<N, F>, reply: ReplyBuffer): Answer {
    return this.#then(outcome, (qid) => reply.qid(HEADER_SIZE, qid), fid);
  }

  #link(request: Request): Answer {
    const directory = this.#fid(request);
    const fid = this.#fid(request, Tlink.fid);
    if (directory === undefined || fid === undefined) return -Errno.EBADF;
    if (this.#fs.link === undefined) return -Errno.EROFS;
    request.string(Tlink.name, request.first);
    if (!request.first.isEntryName()) return -Errno.EINVAL;
    return this.#done(this.#fs.link(directory.node, fid.node, request.first), directory, fid);
  }

  #rename(request: Request): Answer {
    const fid = this.#fid(request);
    const directory = this.#fid(request, Trename.dfid);
    if (directory === undefined || fid === undefined) return -Errno.EBADF;
    if (this.#fs.rename === undefined) return -Errno.EROFS;
    request.string(Trename.name, request.first);
    if (!request.first.isEntryName()) return -Errno.EINVAL;
    return this.#done(this.#fs.rename(fid.node, directory.node, request.first), fid, directory);
  }

  #renameat(request: Request): Answer {
    const { first: oldName, second: newName } = request;
    const at = request.string(Trenameat.oldname, oldName);
    request.string(at + 4, newName);
    const from = this.#fid(request);
    const to = this.#fid(request, at);
    if (from === undefined || to === undefined) return -Errno.EBADF;
    if (this.#fs.renameat === undefined) return -Errno.EROFS;
    if (!oldName.isEntryName() || !newName.isEntryName()) return -Errno.EINVAL;
    return this.#done(this.#fs.renameat(from.node, oldName, to.node, newName), from, to);
  }

  #unlinkat(request: Request): Answer {
    const fid = this.#fid(request);
    if (fid === undefined) return -Errno.EBADF;
    if (this.#fs.unlinkat === undefined) return -Errno.EROFS;
    const at = request.string(Tunlinkat.name, request.first);
    if (!request.first.isEntryName()) return -Errno.EINVAL;
    return this.#done(this.#fs.unlinkat(fid.node, request.first, request.u32(at)), fid);
  }

  /** remove(5): the fid is clunked even if the file could not be removed. */
  #remove(request: Request): Answer {
    const fid = this.#fid(request);
    if (fid === undefined) return -Errno.EBADF;
    let answer: Answer = -Errno.EROFS;
    try {
      if (this.#fs.remove !== undefined) answer = this.#done(this.#fs.remove(fid.node), fid);
    } finally {
      this.#drop(fid);
    }
    return answer;
  }

  // Extended attributes

  #xattrwalk(request: Request, reply: ReplyBuffer): Answer {
    const fid = this.#fid(request);
    if (fid === undefined) return -Errno.EBADF;
    const name = request.first;
    request.string(Txattrwalk.name, name);
    if (hasNul(name)) return -Errno.EINVAL;
    const list = name.length === 0;
    const made = this.#newFid(request.u32(Txattrwalk.newfid));
    if (typeof made === 'number') return made;
    const { node } = fid;
    this.#fs.retain?.(node);
    const answer = this.#make<Uint8Array>(
      made,
      () => (list ? this.#fs.listxattr?.(node) : this.#fs.getxattr?.(node, name)) ?? -Errno.EOPNOTSUPP,
      (value) => {
        made.node = node;
        made.xattr = new XattrTransfer(value);
        reply.u64(HEADER_SIZE, value.length);
        return HEADER_SIZE + 8;
      },
      () => {},
    );
    if (typeof answer !== 'number') {
      return answer.finally(() => {
        if (made.node !== node) this.#fs.release?.(node);
      });
    }
    if (answer < 0) this.#fs.release?.(node);
    return answer;
  }

  #xattrcreate(request: Request): Answer {
    const fid = this.#fid(request);
    if (fid === undefined) return -Errno.EBADF;
    if (fid.file !== undefined || fid.xattr !== undefined) return -Errno.EINVAL;
    if (this.#fs.setxattr === undefined) return -Errno.EOPNOTSUPP;
    const at = request.string(Txattrcreate.name, request.first);
    if (request.first.length === 0 || hasNul(request.first)) return -Errno.EINVAL;
    const size = request.u64(at);
    const flags = request.u32(at + 8);
    if (size > XATTR_SIZE_MAX) return -Errno.E2BIG;
    if ((flags & ~(XattrFlags.create | XattrFlags.replace)) !== 0) return -Errno.EINVAL;
    fid.xattr = new XattrTransfer(new Uint8Array(size), { name: new Name(request.first.toBytes()), flags });
    return EMPTY_REPLY;
  }

  /** What the clunk of a Txattrcreate fid does. The kernel client removes an attribute by replacing it with nothing. */
  #setxattr(fid: ReadyFid<N, F>, transfer: XattrTransfer): Answer {
    const { destination, value } = transfer;
    if (destination === undefined || !transfer.isComplete) return -Errno.EINVAL;
    const { name, flags } = destination;
    if (value.length === 0 && flags === XattrFlags.replace) {
      if (this.#fs.removexattr === undefined) return -Errno.EOPNOTSUPP;
      return this.#done(this.#fs.removexattr(fid.node, name), fid);
    }
    return this.#done(this.#fs.setxattr?.(fid.node, name, value, flags), fid);
  }
}

/** A fid that denotes something. */
type ReadyFid<N extends FileNode, F extends object> = Fid<N, F> & { node: N };

function isPromise<T>(outcome: T | number | Promise<T | number>): outcome is Promise<T | number> {
  return (
    typeof outcome === 'object' &&
    outcome !== null &&
    typeof (outcome as { then?: unknown }).then === 'function'
  );
}

function isErrno(outcome: unknown): outcome is number {
  return typeof outcome === 'number' && outcome < 0;
}

function emptyReply(): number {
  return EMPTY_REPLY;
}

/** Rread and Rreaddir; `length` may be a negative errno. */
function dataReply(reply: ReplyBuffer, length: number): number {
  if (length < 0) return length;
  reply.u32(HEADER_SIZE, length);
  return DATA_OFFSET + length;
}

/** Rwrite; `length` may be a negative errno. */
function countReply(reply: ReplyBuffer, length: number): number {
  if (length < 0) return length;
  reply.u32(HEADER_SIZE, length);
  return RWRITE_SIZE;
}

function hasNul(name: Name): boolean {
  const at = name.bytes.indexOf(0, name.start);
  return at !== -1 && at < name.start + name.length;
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
