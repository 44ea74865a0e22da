import { Errno, P9Error } from '../errno.ts';
import { MAX_WALK_NAMES, NOFID } from '../wire/messages.ts';
import type { Qid } from '../wire/qid.ts';
import { pathText } from './path.ts';
import type { RawClient } from './raw-client.ts';
import type { CallOptions, Reply, Request } from './request.ts';

/** The most that Linux's client puts around the data of a read, write or readdir (P9_IOHDRSZ, P9_READDIRHDRSZ), and so do we. */
const IO_HEADER = 24;

/** A connection whose version is settled, and the fids in use on it. */
export class Session {
  readonly raw: RawClient;
  readonly #freeFids: number[] = [];
  #nextFid = 0;

  constructor(raw: RawClient) {
    this.raw = raw;
  }

  /** Most bytes of data that one message carries. */
  get payload(): number {
    return this.raw.msize - IO_HEADER;
  }

  /** Fids in use, or about to be. */
  get fidsInUse(): number {
    return this.#nextFid - this.#freeFids.length;
  }

  call<R extends Request>(request: R, options?: CallOptions): Promise<Reply<R>> {
    return this.raw.call(request, options);
  }

  /** Does what makes a fid, with a number that is free; the number is free again when that fails. */
  async makeFid<T>(make: (fid: number) => Promise<T>): Promise<T> {
    const fid = this.#freeFids.pop() ?? this.#nextFid;
    if (fid === this.#nextFid) {
      if (fid === NOFID) throw new P9Error('ENFILE', 'all 4,294,967,295 fids are in use');
      this.#nextFid++;
    }
    try {
      return await make(fid);
    } catch (error) {
      this.#freeFids.push(fid);
      throw error;
    }
  }

  /** A new fid for what is at the end of `names` from `from`; with no names, for what `from` stands for. */
  walk(
    from: number,
    names: readonly Uint8Array[],
    options?: CallOptions,
  ): Promise<{ fid: number; qid?: Qid }> {
    return this.makeFid(async (newfid) => {
      const first = names.slice(0, MAX_WALK_NAMES);
      let qid = await this.#walkSome(from, newfid, first, options);
      try {
        for (let at = MAX_WALK_NAMES; at < names.length; at += MAX_WALK_NAMES) {
          qid = await this.#walkSome(newfid, newfid, names.slice(at, at + MAX_WALK_NAMES), options);
        }
      } catch (error) {
        await this.#clunkAfter(newfid);
        throw error;
      }
      return qid === undefined ? { fid: newfid } : { fid: newfid, qid };
    });
  }

  /** One Twalk. The server answers with an error only if the first name fails; ENOENT is what Linux makes of a walk that ends later. */
  async #walkSome(
    fid: number,
    newfid: number,
    wnames: Uint8Array[],
    options?: CallOptions,
  ): Promise<Qid | undefined> {
    const { wqids } = await this.call({ message: 'Twalk', fid, newfid, wnames }, options);
    if (wqids.length >= wnames.length) return wqids.at(-1);
    const found = pathText(wnames.slice(0, wqids.length));
    throw new P9Error(Errno.ENOENT, `walk to ${pathText(wnames)} came no further than ${found}`);
  }

  /** Ends a fid. Whatever the answer, the fid is no more (clunk(5)); therefore this cannot be cancelled. */
  async clunk(fid: number): Promise<void> {
    try {
      await this.call({ message: 'Tclunk', fid });
    } finally {
      this.#freeFids.push(fid);
    }
  }

  /** Tremove, which ends the fid as well, even when it fails (remove(5)). */
  async remove(fid: number): Promise<void> {
    try {
      await this.call({ message: 'Tremove', fid });
    } finally {
      this.#freeFids.push(fid);
    }
  }

  /** Uses a fid and ends it. If the use fails, its error counts, not that of the end. */
  async using<T>(fid: number, use: () => Promise<T>): Promise<T> {
    let result: T;
    try {
      result = await use();
    } catch (error) {
      await this.clunk(fid).catch(ignore);
      throw error;
    }
    await this.clunk(fid);
    return result;
  }

  /** Ends a fid whose number `makeFid` frees. */
  async #clunkAfter(fid: number): Promise<void> {
    await this.call({ message: 'Tclunk', fid }).catch(ignore);
  }
}

/** What comes after an error that is about to be thrown. */
function ignore(): void {
  // The first error says it.
}
