import type { LogRecord } from './record.ts';

/** What became of records so far. What is neither written nor lost is on its way. */
export interface SinkCounters {
  /** Records that were taken. */
  readonly taken: number;
  /** Records that are where they belong. */
  readonly written: number;
  /** Bytes that are. */
  readonly bytes: number;
  /** Records that were taken and given up. */
  readonly lost: number;
}

/**
 * Where records go. Its memory is bounded: when it has as much as it may hold, it takes no more, and whoever offers records is to wait or to
 * count them as lost.
 */
export interface Sink extends AsyncDisposable {
  /**
   * Offers a record. It is the caller's again when this returns, with its bytes: the sink has copied what it needs.
   * @returns false: the sink is full and has not taken it. {@link Sink.ready} tells when to offer it again
   */
  write(record: LogRecord): boolean;
  /** Resolves when there is room again; at once if there is. Never rejects. */
  ready(): Promise<void>;
  /** Resolves when all that was taken before is written or lost. Never rejects: what failed is counted. */
  flush(): Promise<void>;
  /** Flushes and gives everything back. Nothing may be offered any more. */
  close(): Promise<void>;
  readonly counters: SinkCounters;
}

/** A sink that takes lines that are formatted already, under the same rules. */
export interface ByteSink extends Omit<Sink, 'write'> {
  /**
   * Offers the bytes from `start` to before `end`: whole lines, each with its newline.
   * @param records how many records these are, for the counters
   * @returns false: full, nothing of it was taken
   */
  writeBytes(bytes: Uint8Array, start: number, end: number, records: number): boolean;
}

/** Writes records as bytes, into a buffer of the caller's and without an object for each. */
export interface RecordFormat {
  /** The most that a record may take beyond four bytes for each of its own. */
  readonly overhead: number;
  /**
   * Writes one record, its newline included if there is one, at `at`, where there is room for `overhead + 4 * (record.end - record.start)` bytes.
   * @returns the end of what was written
   */
  write(record: LogRecord, out: Uint8Array, at: number): number;
}
