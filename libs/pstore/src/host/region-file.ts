import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { type DetectedLayout, detectLayout } from '../detect-layout.ts';
import type { RamoopsLayout } from '../layout.ts';
import { parseLayout } from '../layout-text.ts';
import { PstoreError } from '../pstore-error.ts';

/** A region in a file. */
export interface RegionFile {
  readonly bytes: Uint8Array;
  readonly layout: RamoopsLayout;
  /** Where the region begins in the file. */
  readonly offset: number;
  /** How the layout was found, where none was given. */
  readonly detected: DetectedLayout | undefined;
}

export interface RegionFileOptions {
  /** As `readRamoops` takes it; default `auto`. */
  readonly layout?: RamoopsLayout | string;
  /** Where the region begins in the file; default: see `readRegionFile`. */
  readonly offset?: number;
}

/** Sizes are signed 32-bit numbers in the kernel. */
const LARGEST = 0x7fffffff;

/**
 * Reads a region from a file, which is the region, or all memory of a machine: with a layout that has `memSize` and `memAddress`,
 * as a kernel command line has, it is looked for at that address of a file that is larger than the region.
 *
 * @throws {PstoreError} ERR_REGION_SIZE when the file ends before the region does, or is larger than one can be; the errors of `parseLayout` and `detectLayout`
 * @throws {NodeJS.ErrnoException} when the file cannot be read
 */
export function readRegionFile(
  path: string,
  { layout = 'auto', offset }: RegionFileOptions = {},
): RegionFile {
  const given = layout === 'auto' ? undefined : typeof layout === 'string' ? parseLayout(layout) : layout;
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    const start = offset ?? startOf(given, size);
    const wanted = given?.memSize ?? Math.max(0, size - start);
    if (wanted > LARGEST) {
      throw new PstoreError(
        'ERR_REGION_SIZE',
        `${path}: a region of ${wanted} bytes is more than can be; is it the memory of a machine? Then give the layout with its address`,
        { offset: start },
      );
    }
    const bytes = start + wanted > size ? undefined : readBytes(fd, start, wanted);
    if (bytes?.length !== wanted) {
      throw new PstoreError(
        'ERR_REGION_SIZE',
        `${path} has ${size} bytes, and the region of ${wanted} begins at ${start}: give all of it`,
        { offset: size },
      );
    }
    const detected = given ? undefined : detectLayout(bytes);
    return { bytes, layout: given ?? (detected as DetectedLayout).layout, offset: start, detected };
  } finally {
    closeSync(fd);
  }
}

/** Bytes of an open file; fewer where it ends. */
export function readBytes(fd: number, start: number, length: number): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(length);
  let done = 0;
  while (done < length) {
    const count = readSync(fd, bytes, done, length - done, start + done);
    if (count === 0) break;
    done += count;
  }
  return bytes.subarray(0, done);
}

function startOf(layout: RamoopsLayout | undefined, size: number): number {
  const { memSize, memAddress } = layout ?? {};
  if (memSize === undefined || memAddress === undefined || size <= memSize) return 0;
  return memAddress + memSize <= size ? memAddress : 0;
}
