import { viewOf } from '../record.ts';
import { CV_ELF } from './records.ts';

/** The CodeView record of a module with an ELF build-id, of any length. */
export function encodeBuildId(buildId: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + buildId.length);
  viewOf(bytes).setUint32(0, CV_ELF, true);
  bytes.set(buildId, 4);
  return bytes;
}

/** The build-id of a CodeView record; undefined when that has an identifier of another kind. */
export function decodeBuildId(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length <= 4 || viewOf(bytes).getUint32(0, true) !== CV_ELF) return undefined;
  return bytes.subarray(4);
}

/**
 * The debug identifier by which symbol servers of Breakpad know a build-id: its first 16 bytes as a GUID, padded with 0, and an
 * age of 0.
 */
export function debugId(buildId: Uint8Array): string {
  const guid = new Uint8Array(16);
  guid.set(buildId.subarray(0, 16));
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  return `${hex(order.map((index) => guid[index] as number)).toUpperCase()}0`;
}

/** Lower-case hexadecimal, two digits a byte. */
export function hex(bytes: Iterable<number>): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
