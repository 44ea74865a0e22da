/**
 * - `ERR_CORE_NOT_ELF`: no ELF file at all.
 * - `ERR_CORE_NOT_CORE`: an ELF file of another kind.
 * - `ERR_CORE_MACHINE`: a processor, class or byte order that is not known here.
 * - `ERR_CORE_HEADERS`: the ELF header or the program headers are cut off or cannot be right.
 * - `ERR_CORE_NO_THREADS`: nothing tells of a single thread, so there is nothing to convert.
 */
export type CoreErrorCode =
  | 'ERR_CORE_NOT_ELF'
  | 'ERR_CORE_NOT_CORE'
  | 'ERR_CORE_MACHINE'
  | 'ERR_CORE_HEADERS'
  | 'ERR_CORE_NO_THREADS';

/** Bytes that are no core that can be read. */
export class CoreError extends Error {
  override readonly name = 'CoreError';
  readonly code: CoreErrorCode;

  constructor(code: CoreErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * - `ERR_MINIDUMP_SIGNATURE`: the bytes do not begin as a minidump does.
 * - `ERR_MINIDUMP_BOUNDS`: something lies outside the bytes of the dump.
 * - `ERR_MINIDUMP_COUNT`: a count is more than its stream has room for.
 */
export type MinidumpErrorCode = 'ERR_MINIDUMP_SIGNATURE' | 'ERR_MINIDUMP_BOUNDS' | 'ERR_MINIDUMP_COUNT';

/** Bytes that are no minidump, or a part of one that cannot be right. */
export class MinidumpError extends Error {
  override readonly name = 'MinidumpError';
  readonly code: MinidumpErrorCode;
  /** Byte of the dump where it went wrong. */
  readonly offset: number;

  constructor(code: MinidumpErrorCode, offset: number, problem: string) {
    super(`minidump, byte ${offset}: ${problem}`);
    this.code = code;
    this.offset = offset;
  }
}

/** Something that a core lacks, or that is wrong with it, and that did not stop the conversion. */
export interface SoftError {
  /** A stable name: `CORE_TRUNCATED`, `NOTE_MALFORMED`, ... */
  readonly code: string;
  readonly message: string;
}

/** Collects {@link SoftError}s; of one code not more than a few, so that a hostile core does not fill the dump with them. */
export class SoftErrors {
  readonly list: SoftError[] = [];
  readonly #counts = new Map<string, number>();
  static readonly MOST_OF_A_CODE = 20;

  add(code: string, message: string): void {
    const count = (this.#counts.get(code) ?? 0) + 1;
    this.#counts.set(code, count);
    if (count <= SoftErrors.MOST_OF_A_CODE) this.list.push({ code, message });
  }

  /** As the dump has them, with how many were left out. */
  toJSON(): SoftError[] {
    const more = [...this.#counts].filter(([, count]) => count > SoftErrors.MOST_OF_A_CODE);
    return [
      ...this.list,
      ...more.map(([code, count]) => ({
        code,
        message: `${count - SoftErrors.MOST_OF_A_CODE} more of this kind were left out`,
      })),
    ];
  }
}
