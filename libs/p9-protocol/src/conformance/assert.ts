/*
 * As much of node:assert/strict as the checks need, so that they run in a browser too. The errors carry `actual` and `expected`, which test runners show.
 */

export class AssertionError extends Error {
  override readonly name = 'AssertionError';
  readonly code = 'ERR_ASSERTION';
  readonly actual: unknown;
  readonly expected: unknown;

  constructor(message: string, actual?: unknown, expected?: unknown) {
    super(message);
    this.actual = actual;
    this.expected = expected;
  }
}

export function ok(value: unknown, message = 'it is not so'): asserts value {
  if (!value) throw new AssertionError(message, value, true);
}

export function equal<T>(actual: unknown, expected: T, message = 'not the same'): asserts actual is T {
  if (Object.is(actual, expected)) return;
  throw new AssertionError(`${message}: ${shown(actual)}, expected ${shown(expected)}`, actual, expected);
}

export function notEqual(actual: unknown, expected: unknown, message = 'the same'): void {
  if (Object.is(actual, expected)) throw new AssertionError(`${message}: ${shown(actual)}`, actual, expected);
}

/** Arrays, bytes and objects are equal when all that they hold is. */
export function deepEqual(actual: unknown, expected: unknown, message = 'not equal'): void {
  if (isDeepEqual(actual, expected)) return;
  throw new AssertionError(`${message}: ${shown(actual)}, expected ${shown(expected)}`, actual, expected);
}

export function fail(message: string): never {
  throw new AssertionError(message);
}

function isDeepEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  // A Buffer and a Uint8Array of the same bytes are the same to these checks.
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    return a.length === b.length && a.every((byte, index) => byte === b[index]);
  }
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && isDeepEqual(a[key as never], b[key as never]));
}

function shown(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  const text = JSON.stringify(value, (_, inner) => {
    if (typeof inner === 'bigint') return `${inner}n`;
    return inner instanceof Uint8Array ? `bytes ${[...inner.subarray(0, 32)].join(' ')}` : inner;
  });
  return text === undefined ? String(value) : text.length > 1000 ? `${text.slice(0, 1000)}...` : text;
}
