import type { FileNode } from '../filesystem.ts';
import type { XattrTransfer } from './xattr-transfer.ts';

/** What a fid stands for: a node, and once opened its file or extended attribute. */
export class Fid {
  id = 0;
  /** Undefined while a walk or attach that makes the fid waits. */
  node: FileNode | undefined;
  file: object | undefined;
  xattr: XattrTransfer | undefined;
  /** Promises that work with this fid. */
  busy = 0;
  /** It was clunked while busy: to be ended with the last promise. */
  doomed = false;
}

/** Fids below this number are found by index. Clients allot from 0 or 1 upward. */
const DENSE = 4096;

/** The fids of a session. Fid objects are used again: making and clunking fids allocates nothing in the long run. */
export class FidTable {
  /** As long as the largest of these numbers that was used needs it: most clients use few. */
  readonly #dense: (Fid | undefined)[] = [];
  readonly #sparse = new Map<number, Fid>();
  readonly #free: Fid[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): Fid | undefined {
    if (id < this.#dense.length) return this.#dense[id];
    return id < DENSE ? undefined : this.#sparse.get(id);
  }

  /** A new fid; `id` must be free. */
  add(id: number): Fid {
    const fid = this.#free.pop() ?? new Fid();
    fid.id = id;
    if (id < DENSE) {
      while (this.#dense.length <= id) this.#dense.push(undefined);
      this.#dense[id] = fid;
    } else {
      this.#sparse.set(id, fid);
    }
    this.#size++;
    return fid;
  }

  /** Frees the number. The object stays valid until `recycle`. */
  remove(fid: Fid): void {
    if (fid.id < DENSE) this.#dense[fid.id] = undefined;
    else this.#sparse.delete(fid.id);
    this.#size--;
  }

  recycle(fid: Fid): void {
    fid.node = undefined;
    fid.file = undefined;
    fid.xattr = undefined;
    fid.busy = 0;
    fid.doomed = false;
    if (this.#free.length < DENSE) this.#free.push(fid);
  }

  *[Symbol.iterator](): Generator<Fid> {
    for (const fid of this.#dense) if (fid !== undefined) yield fid;
    yield* [...this.#sparse.values()];
  }
}
