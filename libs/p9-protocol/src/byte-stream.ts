/**
 * The two-way byte stream that a 9P connection runs over, as the client and `serve` see it: the part of Node's
 * `stream.Duplex` that they use, so any socket fits as it is, and so little that a MessagePort or a pair of Web streams is adapted in a few lines.
 *
 * - `write` borrows the bytes until it calls `sent`: the caller must not change them before that. `sent` means that
 *   nobody looks at them any more: an in-process pipe, which hands the same memory to its other end, must copy. `false` says "enough for now, wait for `drain`";
 *   the bytes were taken all the same.
 * - A `data` chunk must not be changed once it has been handed out: decoded messages are views of it. Chunk borders mean nothing.
 * - `end` comes when the peer will send nothing more, `close` when the stream is gone in both directions, after `error` if that was the reason.
 */
export interface DuplexLike {
  on(event: 'data', listener: (chunk: Uint8Array) => void): unknown;
  on(event: 'end' | 'close' | 'drain', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  write(bytes: Uint8Array, sent?: () => void): boolean;
  /** No more is written; what was, is still sent, and then `sent` is called. */
  end(sent?: () => void): unknown;
  /** Gives the stream up at once, in both directions. */
  destroy(error?: Error): unknown;
  /** No `data` until `resume`. */
  pause(): unknown;
  resume(): unknown;
}
