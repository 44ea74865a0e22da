/**
 * - `ERR_ADDRESS_SCHEME`: what stands before the first colon is no kind of address.
 * - `ERR_ADDRESS_FORM`: the kind is known, but too few or too many parts follow it.
 * - `ERR_ADDRESS_CID`, `_PORT`, `_PATH`, `_NAME`, `_FD`, `_HOST`: that part is not a valid one.
 * - `ERR_ADDRESS_PURPOSE`: valid, but not for what it was asked for (listening, connecting).
 */
export type AddressErrorCode =
  | 'ERR_ADDRESS_SCHEME'
  | 'ERR_ADDRESS_FORM'
  | 'ERR_ADDRESS_CID'
  | 'ERR_ADDRESS_PORT'
  | 'ERR_ADDRESS_PATH'
  | 'ERR_ADDRESS_NAME'
  | 'ERR_ADDRESS_FD'
  | 'ERR_ADDRESS_HOST'
  | 'ERR_ADDRESS_PURPOSE';

export interface AddressErrorFacts {
  code: AddressErrorCode;
  text: string;
  offset: number;
  problem: string;
  remedy: string;
}

/** A text that is not an address. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
  readonly code: AddressErrorCode;
  /** The whole text. */
  readonly text: string;
  /** Where in the text the trouble begins, counted from 0 in UTF-16 code units. */
  readonly offset: number;
  /** What is wrong. */
  readonly problem: string;
  /** What to write instead. */
  readonly remedy: string;

  constructor({ code, text, offset, problem, remedy }: AddressErrorFacts) {
    const at = offset > 0 ? ` at character ${offset + 1}` : '';
    super(`address ${JSON.stringify(text)}${at}: ${problem}; write ${remedy}`);
    this.code = code;
    this.text = text;
    this.offset = offset;
    this.problem = problem;
    this.remedy = remedy;
  }
}
