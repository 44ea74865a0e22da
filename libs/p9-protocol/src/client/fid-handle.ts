import { P9Error } from '../errno.ts';
import type { AttributeChanges } from '../filesystem.ts';
import { GetattrMask } from '../wire/flags.ts';
import type { Qid } from '../wire/qid.ts';
import {
  type FileAttributes,
  fromRgetattr,
  fromRstatfs,
  type RemoteFileSystemStatus,
  toTsetattr,
} from './attributes.ts';
import type { CallOptions } from './request.ts';
import type { Session } from './session.ts';

/** Owns one fid, until `clunk` or the end of an `await using` block. */
export abstract class FidHandle {
  protected readonly session: Session;
  readonly #fid: number;
  /** As the server gave it when the fid was made. */
  readonly qid: Qid;
  #ended = false;

  constructor(session: Session, fid: number, qid: Qid) {
    this.session = session;
    this.#fid = fid;
    this.qid = qid;
  }

  /** The fid's number. Throws EBADF when it has been ended. */
  get fid(): number {
    this.assertNotEnded();
    return this.#fid;
  }

  protected assertNotEnded(): void {
    if (this.#ended) throw new P9Error('EBADF', `fid ${this.#fid} has been clunked`);
  }

  /** Attributes of what the fid stands for; `mask` says which are wanted (GetattrMask, default `basic`). */
  protected async attributesOf(
    fid: number,
    mask: number | undefined,
    options?: CallOptions,
  ): Promise<FileAttributes> {
    const wanted = BigInt(mask ?? GetattrMask.basic);
    return fromRgetattr(await this.session.call({ message: 'Tgetattr', fid, mask: wanted }, options));
  }

  protected async changeAttributesOf(
    fid: number,
    changes: AttributeChanges,
    options?: CallOptions,
  ): Promise<void> {
    await this.session.call(toTsetattr(fid, changes), options);
  }

  protected async statusOf(fid: number, options?: CallOptions): Promise<RemoteFileSystemStatus> {
    return fromRstatfs(await this.session.call({ message: 'Tstatfs', fid }, options));
  }

  /** The fid passes to another owner. */
  protected giveUp(): number {
    const fid = this.fid;
    this.#ended = true;
    return fid;
  }

  /** Ends the fid; nothing if that has been done. Rejects with what the server answers, and the fid is gone all the same (clunk(5)). */
  async clunk(): Promise<void> {
    if (!this.#ended) await this.session.clunk(this.giveUp());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.clunk();
  }
}
