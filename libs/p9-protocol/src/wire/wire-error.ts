/**
 * - `ERR_P9_FRAME_SIZE`: the size a frame claims (its first four bytes) is not its length, or not one a frame can have.
 * - `ERR_P9_MESSAGE_TYPE`: no message of 9P2000.L has this type.
 * - `ERR_P9_FIELD_OVERRUN`: a field goes beyond the end of the frame.
 * - `ERR_P9_TRAILING_BYTES`: bytes are left after the last field.
 * - `ERR_P9_FIELD_VALUE`: a value given for encoding cannot be represented in its field.
 * - `ERR_P9_BUFFER_SIZE`: the message does not fit into the buffer given for encoding.
 */
export type WireErrorCode =
  | 'ERR_P9_FRAME_SIZE'
  | 'ERR_P9_MESSAGE_TYPE'
  | 'ERR_P9_FIELD_OVERRUN'
  | 'ERR_P9_TRAILING_BYTES'
  | 'ERR_P9_FIELD_VALUE'
  | 'ERR_P9_BUFFER_SIZE';

export interface WireErrorDetails {
  /** Byte of the frame (of the buffer, when encoding) where it went wrong. */
  offset: number;
  /** The message concerned, `Twalk` for one; undefined when its type could not be told. */
  messageName?: string | undefined;
  /** The field concerned: `fid`, `wnames[3]`. */
  field?: string | undefined;
  /** What should have been there. */
  expected: string;
  /** What was there instead. */
  found: string;
}

/** Bytes that are not a message, or a message that cannot be put into bytes. */
export class WireError extends Error {
  override readonly name = 'WireError';
  readonly code: WireErrorCode;
  readonly offset: number;
  readonly messageName: string | undefined;
  readonly field: string | undefined;
  readonly expected: string;
  readonly found: string;

  constructor(code: WireErrorCode, details: WireErrorDetails) {
    const { offset, messageName, field, expected, found } = details;
    const subject = [messageName ?? '9P frame', field].filter((part) => part !== undefined).join('.');
    super(`${subject} at byte ${offset}: expected ${expected}, found ${found}`);
    this.code = code;
    this.offset = offset;
    this.messageName = messageName;
    this.field = field;
    this.expected = expected;
    this.found = found;
  }
}
