export type PstoreErrorCode =
  /** The layout cannot be: zones that do not fit, sizes below a zone's header, parity that leaves no room. */
  | 'ERR_LAYOUT'
  /** A text is no layout. */
  | 'ERR_LAYOUT_TEXT'
  /** Nothing in the bytes says how they are laid out. */
  | 'ERR_LAYOUT_UNKNOWN'
  /** There are fewer bytes than the layout says. */
  | 'ERR_REGION_SIZE'
  /** A text is no table of symbols. */
  | 'ERR_SYMBOLS'
  /** What a writer was given does not fit or does not exist. */
  | 'ERR_RECORD';

/** Something that cannot be read at all. What is merely damaged is told with what could be read of it: see `Problem`. */
export class PstoreError extends Error {
  override readonly name = 'PstoreError';
  readonly code: PstoreErrorCode;
  /** Bytes from the beginning of the region, or characters of a text; undefined where neither says anything. */
  readonly offset: number | undefined;

  constructor(
    code: PstoreErrorCode,
    message: string,
    { offset, cause }: { offset?: number; cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
    this.offset = offset;
  }
}

export type ProblemCode =
  /** No zone begins here: never written, or by another kernel. */
  | 'no-signature'
  /** The header claims more than there is room for, or a start behind the end. */
  | 'invalid-header'
  /** More bytes are wrong in the header than its parity can put right. */
  | 'uncorrectable-header'
  /** The same of blocks of data. */
  | 'uncorrectable-blocks'
  /** A dump does not begin with `====SECONDS.MICROSECONDS`; the kernel throws it away. */
  | 'no-record-header'
  /** A dump has a header and nothing else; the kernel shows neither it nor what comes after it. */
  | 'empty-record'
  /** A dump is marked as compressed, and no decompressor takes it. */
  | 'not-decompressed'
  /** A dump that we can decompress, and the kernel cannot: what it was compressed to begins with white space. */
  | 'misread-by-kernel';

/** What is wrong with a zone, and where. */
export interface Problem {
  readonly code: ProblemCode;
  /** Bytes from the beginning of the region. */
  readonly offset: number;
  readonly message: string;
}
