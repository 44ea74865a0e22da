import { type Address, AddressError, type AddressPurpose, parseAddress } from '@vm-tools/vsock';

/** What a `parse` of an option throws when the text is not a value. */
export class InvalidValue extends Error {
  override readonly name = 'InvalidValue';
  readonly code = 'ERR_INVALID_VALUE';
  /** What to write instead; completes "write ...". */
  readonly remedy: string;

  constructor(problem: string, { remedy, cause }: { remedy: string; cause?: unknown }) {
    super(problem, cause === undefined ? {} : { cause });
    this.remedy = remedy;
  }
}

/** Reads a whole number in decimal, without sign or leading zeros. */
export function wholeNumber({ min = 0, max }: { min?: number; max: number }): (text: string) => number {
  return (text) => {
    const value = /^(?:0|[1-9][0-9]*)$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    const problem = Number.isNaN(value)
      ? 'is not a whole number'
      : value < min
        ? 'is too small'
        : 'is too large';
    throw new InvalidValue(`${JSON.stringify(text)} ${problem}`, {
      remedy: `a number from ${min} to ${max}`,
    });
  };
}

/** Reads the path of a file or directory that does not depend on where the process is. */
export function absolutePath(text: string): string {
  if (text.startsWith('/')) return text;
  throw new InvalidValue(`${JSON.stringify(text)} is no absolute path`, {
    remedy: 'a path that begins with /',
  });
}

/** Reads an address; see @vm-tools/vsock. */
export function addressFor(purpose: AddressPurpose): (text: string) => Address {
  return (text) => {
    try {
      return parseAddress(text, { for: purpose });
    } catch (error) {
      if (!(error instanceof AddressError)) throw error;
      const problem = `${JSON.stringify(text)} is not an address: ${error.problem}`;
      throw new InvalidValue(problem, { remedy: error.remedy, cause: error });
    }
  };
}
