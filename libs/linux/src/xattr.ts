import { hot } from './addon.ts';

/**
 * getxattr(2). For a descriptor use the path `/proc/self/fd/N`, which for one of `O_PATH` works, too.
 * @param buffer gets the value from its start; an empty one asks only for the size
 * @returns size of the value in bytes, or a negative errno (-ENODATA: no such attribute; -ERANGE: larger than
 *   the buffer)
 */
export const getxattr =
  hot<(path: string, name: Uint8Array, start: number, length: number, buffer: Uint8Array) => number>(
    'getxattr',
  );

/**
 * listxattr(2): the names, each followed by a NUL.
 * @param buffer gets the names from its start; an empty one asks only for the size
 * @returns size of the list in bytes, or a negative errno (-ERANGE: larger than the buffer)
 */
export const listxattr = hot<(path: string, buffer: Uint8Array) => number>('listxattr');

/**
 * setxattr(2).
 * @param flags 0, `XATTR_CREATE` (-EEXIST if there is one) or `XATTR_REPLACE` (-ENODATA if there is none)
 * @returns 0 or a negative errno
 */
export const setxattr =
  hot<
    (
      path: string,
      name: Uint8Array,
      start: number,
      length: number,
      value: Uint8Array,
      valueStart: number,
      valueLength: number,
      flags: number,
    ) => number
  >('setxattr');

/** removexattr(2). @returns 0 or a negative errno (-ENODATA: no such attribute) */
export const removexattr =
  hot<(path: string, name: Uint8Array, start: number, length: number) => number>('removexattr');
