import { P9Error } from '../errno.ts';
import type { CallOptions } from './request.ts';
import type { Session } from './session.ts';

/** Parts of a long read that are asked for at once. */
const PARALLEL_READS = 8;

/** What is allocated for a file of unknown length, at first and at a time after that. */
const FIRST_PART = 1 << 20;
const FURTHER_PART = 8 << 20;

/** Moves the bytes of one open fid in pieces of the size that its messages carry. */
export class Transfer {
  readonly #session: Session;
  readonly #fid: number;
  /** Most bytes of one Tread or Twrite: what msize leaves, or the file's iounit if that is less. */
  readonly unit: number;

  /** @param iounit as the server gave it at open; 0: it has no preference (open(5)) */
  constructor(session: Session, fid: number, iounit = 0) {
    this.#session = session;
    this.#fid = fid;
    this.unit = iounit > 0 ? Math.min(iounit, session.payload) : session.payload;
  }

  /** Fills `into` with bytes from `offset` on, in pieces asked for side by side; returns how many there were before the end of the file. */
  async read(into: Uint8Array, offset: bigint, options?: CallOptions): Promise<number> {
    const { unit } = this;
    const pieces = Math.ceil(into.length / unit);
    const got = new Array<number>(pieces).fill(0);
    let next = 0;
    let end = pieces;
    const worker = async () => {
      while (next < end) {
        const piece = next++;
        const part = into.subarray(piece * unit, (piece + 1) * unit);
        got[piece] = await this.#fill(part, offset + BigInt(piece * unit), options);
        // The file ends here: what lies behind is not asked for any more.
        if (got[piece] < part.length) end = Math.min(end, piece + 1);
      }
    };
    const workers = Array.from({ length: Math.min(PARALLEL_READS, pieces) }, worker);
    // All of them, also when one fails: none may write to `into` after this has settled.
    for (const outcome of await Promise.allSettled(workers)) {
      if (outcome.status === 'rejected') throw outcome.reason;
    }
    let total = 0;
    for (const length of got) {
      total += length;
      if (length < unit) break;
    }
    return total;
  }

  /** All bytes from `offset` to the end, or the first `limit` of them. Memory grows with what arrives, not with what a server claims. */
  async readToEnd(
    offset: bigint,
    options?: CallOptions,
    limit = Number.POSITIVE_INFINITY,
  ): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let total = 0;
    // One piece first, as most files are small; then as many as are asked for side by side.
    const further = Math.min(this.unit * PARALLEL_READS, FURTHER_PART);
    for (let want = Math.min(this.unit, FIRST_PART); total < limit; want = further) {
      const part = new Uint8Array(Math.min(want, limit - total));
      const length = await this.read(part, offset + BigInt(total), options);
      parts.push(part.subarray(0, length));
      total += length;
      if (length < part.length) break;
    }
    return concatenate(parts, total);
  }

  /**
   * Writes all of `data` at `offset`, piece after piece, so that what has been written when an error comes is a beginning of it, and appending keeps the order.
   */
  async write(data: Uint8Array, offset: bigint, options?: CallOptions): Promise<void> {
    for (let done = 0; done < data.length; ) {
      const part = data.subarray(done, done + this.unit);
      const position = offset + BigInt(done);
      const request = { message: 'Twrite', fid: this.#fid, offset: position, data: part } as const;
      const { count } = await this.#session.call(request, options);
      if (count === 0 || count > part.length) {
        throw new P9Error('EIO', `the server wrote ${count} of ${part.length} bytes at offset ${position}`);
      }
      done += count;
    }
  }

  /** Reads until `part` is full or nothing more comes: a read may give less than there is. */
  async #fill(part: Uint8Array, offset: bigint, options?: CallOptions): Promise<number> {
    let filled = 0;
    while (filled < part.length) {
      const count = part.length - filled;
      const position = offset + BigInt(filled);
      const { data } = await this.#session.call(
        { message: 'Tread', fid: this.#fid, offset: position, count },
        options,
      );
      if (data.length === 0) break;
      if (data.length > count) {
        throw new P9Error('EIO', `the server gave ${data.length} bytes for ${count} at offset ${position}`);
      }
      part.set(data, filled);
      filled += data.length;
    }
    return filled;
  }
}

function concatenate(parts: Uint8Array[], total: number): Uint8Array {
  if (parts.length === 1) return parts[0] as Uint8Array;
  const whole = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
