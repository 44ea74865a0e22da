import { closeSync, fstatSync, ftruncateSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import type { Batch } from './batch.ts';
import { decodeFrame, FRAME_HEADER, frameLength } from './spill-frame.ts';

// "VMSPILL1", then as u64 where the first batch begins that has not arrived. Little endian.
const MAGIC = Buffer.from('VMSPILL1');
const READ_AT = 8;
const HEADER = 16;

/** One file of a spill: batches one behind the other, and how far they have been read. */
export class SpillSegment {
  readonly index: number;
  readonly #path: string;
  readonly #fd: number;
  #readAt = HEADER;
  #frontLength = 0;
  /** Records of each batch that waits; those before `#gone` do not any more. */
  readonly #counts: number[] = [];
  #gone = 0;
  size = HEADER;
  records = 0;
  damagedBytes = 0;

  private constructor(path: string, index: number, fd: number) {
    this.#path = path;
    this.index = index;
    this.#fd = fd;
  }

  /** Begins a file. */
  static create(path: string, index: number): SpillSegment {
    const segment = new SpillSegment(path, index, openSync(path, 'w+', 0o600));
    const header = Buffer.alloc(HEADER);
    header.set(MAGIC);
    header.writeBigUInt64LE(BigInt(HEADER), READ_AT);
    try {
      writeFully(segment.#fd, header, 0);
    } catch (error) {
      segment.remove();
      throw error;
    }
    return segment;
  }

  /** Opens one that an earlier process left: keeps its whole batches, and cuts off what is behind them. */
  static recover(path: string, index: number): SpillSegment {
    const segment = new SpillSegment(path, index, openSync(path, 'r+'));
    const { size } = fstatSync(segment.#fd);
    const header = segment.#bytes(0, HEADER);
    if (header.length < HEADER || !header.subarray(0, READ_AT).equals(MAGIC)) {
      segment.damagedBytes = size;
      return segment;
    }
    const readAt = Number(header.readBigUInt64LE(READ_AT));
    // Whatever damaged it: batches that arrive again are known by their numbers.
    let at = readAt >= HEADER && readAt <= size ? readAt : HEADER;
    segment.#readAt = at;
    for (let batch = segment.#decodeAt(at); batch; batch = segment.#decodeAt(at)) {
      segment.#counts.push(batch.records);
      segment.records += batch.records;
      at += segment.#frontLength;
    }
    segment.damagedBytes = size - at;
    segment.size = at;
    if (at < size) ftruncateSync(segment.#fd, at);
    return segment;
  }

  /** Batches that wait. */
  get batches(): number {
    return this.#counts.length - this.#gone;
  }

  /** Bytes from the first batch that waits to the end. */
  get unreadBytes(): number {
    return this.size - this.#readAt;
  }

  /** False: the disk has no room. */
  append(frame: Buffer, records: number): boolean {
    try {
      writeFully(this.#fd, frame, this.size);
    } catch (error) {
      ftruncateSync(this.#fd, this.size);
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOSPC' && code !== 'EDQUOT' && code !== 'EFBIG') throw error;
      return false;
    }
    this.size += frame.length;
    this.records += records;
    this.#counts.push(records);
    return true;
  }

  /** The first batch that waits; undefined: it is damaged. */
  read(): Batch | undefined {
    return this.#decodeAt(this.#readAt);
  }

  /** The one that was read last has arrived. */
  shift(): void {
    this.records -= this.#counts[this.#gone++] as number;
    this.#readAt += this.#frontLength;
    const at = Buffer.alloc(8);
    at.writeBigUInt64LE(BigInt(this.#readAt));
    writeFully(this.#fd, at, READ_AT);
  }

  /** The senders of each batch that waits. */
  *senders(): Generator<number> {
    const front = this.#frontLength;
    let at = this.#readAt;
    for (let left = this.batches; left > 0; left--) {
      const batch = this.#decodeAt(at);
      if (!batch) break;
      yield* batch.senders;
      at += this.#frontLength;
    }
    this.#frontLength = front;
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Closes and deletes it. */
  remove(): void {
    closeSync(this.#fd);
    rmSync(this.#path, { force: true });
  }

  #decodeAt(at: number): Batch | undefined {
    const length = frameLength(this.#bytes(at, FRAME_HEADER));
    // A length that was damaged must not make a buffer of gigabytes.
    if (length === undefined || at + length > fstatSync(this.#fd).size) return undefined;
    this.#frontLength = length;
    return decodeFrame(this.#bytes(at, length));
  }

  #bytes(at: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const got = readSync(this.#fd, bytes, filled, length - filled, at + filled);
      if (got === 0) break;
      filled += got;
    }
    return bytes.subarray(0, filled);
  }
}

function writeFully(fd: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, at + done);
  }
}
