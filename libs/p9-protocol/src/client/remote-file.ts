import type { AttributeChanges, LockDescription, LockRequest } from '../filesystem.ts';
import type { Qid } from '../wire/qid.ts';
import type { FileAttributes } from './attributes.ts';
import { type DirectoryEntry, decodeEntries } from './directory-entry.ts';
import { FidHandle } from './fid-handle.ts';
import type { CallOptions } from './request.ts';
import type { Session } from './session.ts';
import { Transfer } from './transfer.ts';

export interface GetattrOptions extends CallOptions {
  /** Which attributes are wanted: GetattrMask, default `basic`. */
  mask?: number | undefined;
}

export interface FsyncOptions extends CallOptions {
  /** Only what is needed to read the data again, as fdatasync(2). */
  dataOnly?: boolean | undefined;
}

/** A lock, or a question for one; what is left out is 0: the whole file, process 0 of a client without a name. */
export type Lock = Pick<LockRequest, 'type'> & Partial<LockRequest>;

/** An open file or directory of the server's, from `RemoteNode.open` or `create`. All offsets are the caller's; there is no position. */
export class RemoteFile extends FidHandle {
  /** Most bytes that are read or written in one message. */
  readonly ioUnit: number;
  readonly #transfer: Transfer;

  constructor(session: Session, fid: number, opened: { qid: Qid; iounit: number }) {
    super(session, fid, opened.qid);
    this.#transfer = new Transfer(session, fid, opened.iounit);
    this.ioUnit = this.#transfer.unit;
  }

  /** Up to `count` bytes from `offset`; fewer only where the file ends. Takes `count` bytes of memory. */
  async read(offset: number | bigint, count: number, options?: CallOptions): Promise<Uint8Array> {
    const into = new Uint8Array(count);
    return into.subarray(0, await this.readInto(into, offset, options));
  }

  /** Fills `into` from `offset` on; how many bytes there were before the end of the file. */
  async readInto(into: Uint8Array, offset: number | bigint, options?: CallOptions): Promise<number> {
    this.assertNotEnded();
    return this.#transfer.read(into, BigInt(offset), options);
  }

  /** Everything from `offset` (default 0) to the end of the file. */
  async readToEnd(offset: number | bigint = 0, options?: CallOptions): Promise<Uint8Array> {
    this.assertNotEnded();
    return this.#transfer.readToEnd(BigInt(offset), options);
  }

  /** Writes all of `data` at `offset` (a file opened to append: at its end). When it fails, a beginning of `data` may have been written. */
  async write(data: Uint8Array, offset: number | bigint, options?: CallOptions): Promise<void> {
    this.assertNotEnded();
    await this.#transfer.write(data, BigInt(offset), options);
  }

  /** All entries of an open directory, `.` and `..` included where the server lists them, from after the entry that gave `next`. */
  async *readdir(next = 0n, options?: CallOptions): AsyncGenerator<DirectoryEntry, void, undefined> {
    for (let offset = next; ; ) {
      const request = { message: 'Treaddir', fid: this.fid, offset, count: this.ioUnit } as const;
      const { data } = await this.session.call(request, options);
      const entries = decodeEntries(data);
      const last = entries.at(-1);
      if (last === undefined) return;
      yield* entries;
      offset = last.next;
    }
  }

  async fsync(options: FsyncOptions = {}): Promise<void> {
    const datasync = options.dataOnly === true ? 1 : 0;
    await this.session.call({ message: 'Tfsync', fid: this.fid, datasync }, options);
  }

  /** Sets or takes back a record lock: what became of it, a LockStatus. The server does not wait for a lock held by another; ask again. */
  async lock(lock: Lock, options?: CallOptions): Promise<number> {
    const { type, flags = 0, ...where } = lock;
    const request = { message: 'Tlock', fid: this.fid, type, flags, ...range(where) } as const;
    return (await this.session.call(request, options)).status;
  }

  /** The lock that stands in the way of `lock`, or one of type `LockType.unlock` when none does. */
  async getlock(lock: Lock, options?: CallOptions): Promise<LockDescription> {
    const { type, flags: _, ...where } = lock;
    const request = { message: 'Tgetlock', fid: this.fid, type, ...range(where) } as const;
    const reply = await this.session.call(request, options);
    const { start, length, procId } = reply;
    return { type: reply.type, start, length, procId, clientId: new TextDecoder().decode(reply.clientId) };
  }

  async getattr(options: GetattrOptions = {}): Promise<FileAttributes> {
    return this.attributesOf(this.fid, options.mask, options);
  }

  async setattr(changes: AttributeChanges, options?: CallOptions): Promise<void> {
    return this.changeAttributesOf(this.fid, changes, options);
  }
}

function range({ start = 0n, length = 0n, procId = 0, clientId = '' }: Partial<LockRequest>) {
  return { start, length, procId, clientId: new TextEncoder().encode(clientId) };
}
