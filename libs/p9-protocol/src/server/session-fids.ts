import { Errno } from '../errno.ts';
import type { Done, FileNode, FileSystem, Outcome } from '../filesystem.ts';
import { HEADER_SIZE, NOFID } from '../wire/messages.ts';
import { type Answer, EMPTY_REPLY, errnoFor, isErrno, isPromise } from './answer.ts';
import { type Fid, FidTable } from './fids.ts';
import type { Request } from './request.ts';

/** A fid that denotes something. */
export type ReadyFid = Fid & { node: FileNode };

/**
 * The fids of one session and the filesystem they are of. Keeps a fid's node and file alive while a promise works with it,
 * and ends them all with `close`: promises that are still pending change nothing after that.
 */
export class SessionFids {
  readonly fs: FileSystem;
  readonly msize: number;
  readonly #most: number;
  readonly #warn: (message: string) => void;
  readonly #fids = new FidTable();
  isClosed = false;

  constructor(fs: FileSystem, limits: { msize: number; maxFids: number; warn: (message: string) => void }) {
    this.fs = fs;
    this.msize = limits.msize;
    this.#most = limits.maxFids;
    this.#warn = limits.warn;
  }

  /** Ends every fid. */
  close(): void {
    this.isClosed = true;
    for (const fid of this.#fids) this.letGo(fid);
  }

  get(id: number): Fid | undefined {
    return this.#fids.get(id);
  }

  /** The fid at `offset` of the request, or undefined where it denotes nothing: EBADF. */
  find(request: Request, offset = HEADER_SIZE): ReadyFid | undefined {
    const fid = this.#fids.get(request.u32(offset));
    return fid === undefined || fid.node === undefined ? undefined : (fid as ReadyFid);
  }

  /** Makes a fid whose node is yet to come; a negative errno when it may not be made. */
  create(id: number): Fid | number {
    if (id === NOFID || this.#fids.get(id) !== undefined) return -Errno.EBADF;
    if (this.#fids.size >= this.#most) return -Errno.ENFILE;
    return this.#fids.add(id);
  }

  /** Frees the number at once, and lets go what it denotes. */
  drop(fid: Fid): void {
    this.#fids.remove(fid);
    this.letGo(fid);
  }

  /** Frees the number only; `unhold` lets go what it denotes. */
  detach(fid: Fid): void {
    this.#fids.remove(fid);
    fid.doomed = true;
  }

  /** Lets go what the fid denotes, when nothing works with it any more. */
  letGo(fid: Fid): void {
    if (fid.busy > 0) {
      fid.doomed = true;
      return;
    }
    if (fid.file !== undefined) this.closeFile(fid.file);
    if (fid.node !== undefined) this.release(fid.node);
    this.#fids.recycle(fid);
  }

  /** Closes a file. It may not fail; if it does, whatever else is to be done is done all the same. */
  closeFile(file: object): void {
    try {
      this.fs.close?.(file);
    } catch (error) {
      this.#warn(`the filesystem's close() threw ${error}`);
    }
  }

  /** Gives a reference to a node up; a failure is as with `closeFile`. */
  release(node: FileNode): void {
    try {
      this.fs.release?.(node);
    } catch (error) {
      this.#warn(`the filesystem's release() threw ${error}`);
    }
  }

  /** Keeps what the fid denotes alive until `unhold`. */
  hold(fid: Fid): void {
    fid.busy++;
  }

  unhold(fid: Fid): void {
    fid.busy--;
    if (fid.doomed && fid.busy === 0) this.letGo(fid);
  }

  /** Goes on with an outcome now, or when its promise settles; until then the fids stay alive. */
  after<T>(outcome: Outcome<T>, next: (value: T) => number, fid: Fid, other: Fid = fid): Answer {
    if (!isPromise(outcome)) return isErrno(outcome) ? outcome : next(outcome as T);
    this.hold(fid);
    this.hold(other);
    const settled = outcome.then((value) => (isErrno(value) ? value : next(value as T)));
    return settled.finally(() => {
      this.unhold(fid);
      this.unhold(other);
    });
  }

  /** `after` for a result that is an object. */
  afterObject<T extends object>(outcome: Outcome<T>, next: (value: T) => number, fid: Fid): Answer {
    return this.after(
      outcome,
      (value: T | number) => (typeof value === 'object' ? next(value) : errnoFor(value)),
      fid,
    );
  }

  /** `after` for what has no result: an empty reply. */
  done(outcome: Done, fid: Fid, other: Fid = fid): Answer {
    if (outcome === undefined) return EMPTY_REPLY;
    return this.after(outcome as Outcome<undefined>, emptyReply, fid, other);
  }

  /** Produces what a new fid stands for, and frees the fid when there is nothing. */
  fill<T extends object>(
    made: Fid,
    produce: () => Outcome<T>,
    next: (value: T) => number,
    discard?: (value: T) => void,
  ): Answer {
    const fail = (error: unknown): never => {
      if (!made.doomed) this.drop(made);
      throw error;
    };
    let outcome: Outcome<T>;
    try {
      outcome = produce();
      if (!isPromise(outcome)) {
        if (typeof outcome === 'object') return next(outcome);
        this.drop(made);
        return errnoFor(outcome);
      }
    } catch (error) {
      return fail(error);
    }
    this.hold(made);
    const settled = outcome.then((value) => {
      if (typeof value === 'object' && !made.doomed) return next(value);
      if (typeof value === 'object') discard?.(value);
      if (!made.doomed) this.drop(made);
      return typeof value === 'number' ? errnoFor(value) : -Errno.EBADF;
    });
    return settled.catch(fail).finally(() => this.unhold(made));
  }
}

function emptyReply(): number {
  return EMPTY_REPLY;
}
