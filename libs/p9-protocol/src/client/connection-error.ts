/**
 * - `ERR_P9_CLOSED`: this side closed the connection.
 * - `ERR_P9_STREAM_END`: the peer ended the stream.
 * - `ERR_P9_STREAM`: the stream failed; `cause` is its error.
 * - `ERR_P9_BAD_REPLY`: the peer sent what is no reply to anything asked, so nothing it sends can be relied on any more.
 * - `ERR_P9_VERSION`: the peer does not speak 9P2000.L, or not in messages of a usable size.
 */
export type ConnectionErrorCode =
  | 'ERR_P9_CLOSED'
  | 'ERR_P9_STREAM_END'
  | 'ERR_P9_STREAM'
  | 'ERR_P9_BAD_REPLY'
  | 'ERR_P9_VERSION';

/** The connection is over: what every request that was pending then, or is made after, rejects with. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  readonly code: ConnectionErrorCode;

  constructor(code: ConnectionErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
