import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { close, constants, Errno, ofdSetLock, open, SystemError } from '@vm-tools/linux';
import type { Batch } from './batch.ts';
import { encodeFrame } from './spill-frame.ts';
import { SpillSegment } from './spill-segment.ts';

export interface SpillOptions {
  /** The most that its files may take together, in bytes. Default 64 MiB. */
  readonly maxBytes?: number;
  /** How large a file gets before the next one is begun: space comes back a file at a time. Default 1 MiB. */
  readonly segmentBytes?: number;
}

/** What an earlier process had left. */
export interface Recovered {
  readonly batches: number;
  readonly records: number;
  /** Bytes that had been damaged, or written in part only, and were thrown away. */
  readonly damagedBytes: number;
}

/** Who uses the folder of a spill already. */
export class SpillInUseError extends Error {
  override readonly name = 'SpillInUseError';
  readonly code = 'ERR_SPILL_IN_USE';
}

/** Room for batches before the first one of an earlier process. */
const FIRST = 1_000_000_000;
const NAME = /^(\d{10})\.spill$/;

/**
 * A queue of batches in files, of bounded size, that outlives its process: what was appended is there for the next one, however this one
 * ended. It is not forced to the disk: a machine that loses power may lose the last of it, and what is then damaged is noticed and dropped.
 *
 * All of its calls block, for as long as the page cache takes.
 */
export class Spill implements Disposable {
  readonly recovered: Recovered;
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #segmentBytes: number;
  readonly #lock: number;
  /** The first one is read, the last one written. */
  readonly #segments: SpillSegment[] = [];
  #front: { readonly batch: Batch; readonly segment: SpillSegment } | undefined;
  #damagedBytes = 0;

  /**
   * @param folder made if it is not there, with mode 0700
   * @throws SpillInUseError; SystemError and the errors of node:fs when the folder cannot be used
   */
  constructor(folder: string, { maxBytes = 64 << 20, segmentBytes = 1 << 20 }: SpillOptions = {}) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    this.#segmentBytes = segmentBytes;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#lock = lockFolder(folder);
    const found = { batches: 0, records: 0, damagedBytes: 0 };
    const indexes = readdirSync(folder).flatMap((name) => NAME.exec(name)?.[1] ?? []);
    for (const index of indexes.map(Number).sort((a, b) => a - b)) {
      const segment = SpillSegment.recover(this.#path(index), index);
      found.batches += segment.batches;
      found.records += segment.records;
      found.damagedBytes += segment.damagedBytes;
      if (segment.batches > 0) this.#segments.push(segment);
      else segment.remove();
    }
    this.recovered = found;
    this.#damagedBytes = found.damagedBytes;
  }

  /** Bytes that its files take. */
  get bytes(): number {
    return this.#segments.reduce((sum, { size }) => sum + size, 0);
  }

  /** Batches that wait. */
  get batches(): number {
    return this.#segments.reduce((sum, { batches }) => sum + batches, 0);
  }

  /** Records in them. */
  get records(): number {
    return this.#segments.reduce((sum, { records }) => sum + records, 0);
  }

  /** Bytes that were damaged, at the start or since, and were thrown away. */
  get damagedBytes(): number {
    return this.#damagedBytes;
  }

  /** Puts a batch at the end. False: there is no room for it, here or on the disk. */
  append(batch: Batch): boolean {
    const frame = encodeFrame(batch);
    if (this.bytes + frame.length > this.#maxBytes) return false;
    const last = this.#segments.at(-1);
    const isRoomy = last !== undefined && last.size + frame.length <= this.#segmentBytes;
    const segment = isRoomy ? last : this.#begin((last?.index ?? FIRST) + 1);
    if (segment?.append(frame, batch.records)) {
      if (segment !== last) this.#segments.push(segment);
      return true;
    }
    if (segment !== last) segment?.remove();
    return false;
  }

  /** Puts a batch before all others: one that was under way when its sender had to end. False: there is no room. */
  prepend(batch: Batch): boolean {
    const frame = encodeFrame(batch);
    const segment = this.#begin((this.#segments[0]?.index ?? FIRST) - 1);
    if (!segment?.append(frame, batch.records)) {
      segment?.remove();
      return false;
    }
    this.#segments.unshift(segment);
    this.#front = undefined;
    return true;
  }

  /** Whose records wait here, with how many batches each. */
  senders(): Map<number, number> {
    const counts = new Map<number, number>();
    for (const segment of this.#segments) {
      for (const sender of segment.senders()) counts.set(sender, (counts.get(sender) ?? 0) + 1);
    }
    return counts;
  }

  /** The first batch; undefined: there is none. What has been damaged since it was written is passed over and counted. */
  peek(): Batch | undefined {
    if (this.#front) return this.#front.batch;
    for (let segment = this.#segments[0]; segment; segment = this.#segments[0]) {
      const batch = segment.read();
      if (batch) {
        this.#front = { batch, segment };
        return batch;
      }
      this.#damagedBytes += segment.unreadBytes;
      this.#removeFirst();
    }
    return undefined;
  }

  /** Throws the first batch away: it has arrived. A process that ends before this gives it out again. */
  shift(): void {
    const { segment } = this.#front ?? {};
    this.#front = undefined;
    segment?.shift();
    if (segment?.batches === 0) this.#removeFirst();
  }

  /** Gives back what it holds open; the batches stay for the next process. */
  close(): void {
    for (const segment of this.#segments.splice(0)) segment.close();
    close(this.#lock);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #removeFirst(): void {
    this.#segments.shift()?.remove();
  }

  #begin(index: number): SpillSegment | undefined {
    try {
      return SpillSegment.create(this.#path(index), index);
    } catch (error) {
      if (isShortage(error)) return undefined;
      throw error;
    }
  }

  #path(index: number): string {
    return join(this.#folder, `${String(index).padStart(10, '0')}.spill`);
  }
}

function lockFolder(folder: string): number {
  const { O_CREAT, O_RDWR, F_WRLCK } = constants;
  const fd = open(join(folder, 'lock'), O_RDWR | O_CREAT, 0o600);
  const result = ofdSetLock(fd, F_WRLCK, 0, 0);
  if (result === 0) return fd;
  close(fd);
  if (result !== -Errno.EAGAIN && result !== -Errno.EACCES) {
    throw new SystemError(result, 'fcntl', { path: folder });
  }
  throw new SpillInUseError(
    `${folder}: another process keeps its records there; give each a folder of its own`,
  );
}

/** Whether the disk, or a quota, has no room for another file. */
function isShortage(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EMFILE' || code === 'ENFILE';
}
