import { P9Error } from '../errno.ts';

/**
 * Where something is, seen from a directory: `usr/lib`, or its names one by one, which may be bytes that are not UTF-8. `''` and `[]` are the directory itself.
 *
 * In text, `/` separates names, and empty ones and `.` are left out; `..` is sent as it is, for the server to refuse or follow. In a list nothing is left out.
 */
export type Path = string | readonly (string | Uint8Array)[];

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The path's names as they are sent. */
export function namesOf(path: Path): Uint8Array[] {
  const names =
    typeof path === 'string' ? path.split('/').filter((name) => name !== '' && name !== '.') : path;
  return names.map((name) => (typeof name === 'string' ? encoder.encode(name) : name));
}

/** The last name and those before it. Throws EINVAL for a path without names: there is no entry to make or remove. */
export function parentAndName(path: Path): { parent: Uint8Array[]; name: Uint8Array } {
  const parent = namesOf(path);
  const name = parent.pop();
  if (name === undefined) throw new P9Error('EINVAL', 'the path names no entry of a directory');
  return { parent, name };
}

/** For error texts. */
export function pathText(names: readonly Uint8Array[]): string {
  return JSON.stringify(names.map((name) => decoder.decode(name)).join('/'));
}
