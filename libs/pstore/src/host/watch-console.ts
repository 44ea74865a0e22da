import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConsoleEvent, ConsoleFollower } from '../console-follower.ts';
import { completeLayout } from '../detect-layout.ts';
import { HEADER_SIZE, placeZones } from '../layout.ts';
import { PstoreError } from '../pstore-error.ts';
import { type RegionFileOptions, readBytes, readRegionFile } from './region-file.ts';

export interface WatchConsoleOptions extends RegionFileOptions {
  /** Milliseconds between two looks; default 50. What the guest writes is passed on with the second look that finds it. */
  readonly intervalMs?: number;
  /** Whether what is there at the beginning is passed on as well; default true. */
  readonly backlog?: boolean;
  /** Ends it, after a last look. */
  readonly signal?: AbortSignal;
}

/**
 * Follows the console zone of a running machine in the file that is its memory, or its persistent RAM alone.
 *
 * Nothing is lost as long as the guest writes less than fits into the zone between two looks; when it writes more, an event says so.
 * It ends when the signal fires or the loop over it does.
 *
 * @throws {PstoreError} ERR_LAYOUT when the layout has no console; ERR_LAYOUT_UNKNOWN when there is none yet, and none is given
 * @throws {NodeJS.ErrnoException} when the file cannot be read
 */
export async function* watchConsole(
  path: string,
  options: WatchConsoleOptions = {},
): AsyncGenerator<ConsoleEvent> {
  const { intervalMs = 50, backlog = true, signal } = options;
  const region = readRegionFile(path, options);
  const layout = completeLayout(region.bytes, region.layout);
  const place = placeZones(layout, region.bytes.length).find(({ kind }) => kind === 'console');
  if (!place)
    throw new PstoreError('ERR_LAYOUT', `${path} has no console zone by this layout: give console a size`);
  const { ecc, byteOrder = 'little' } = layout;
  const follower = new ConsoleFollower({ size: place.size, ecc, byteOrder, backlog });
  const fd = openSync(path, 'r');
  const start = region.offset + place.offset;
  // In this order: what the guest writes while we read is told by the second one.
  const look = () => follower.update(readBytes(fd, start, place.size), readBytes(fd, start, HEADER_SIZE));
  try {
    while (!signal?.aborted) {
      yield* look();
      await sleep(intervalMs, undefined, signal ? { signal } : {}).catch((error) => {
        if (!signal?.aborted) throw error;
      });
    }
    yield* look();
    yield* follower.finish();
  } finally {
    closeSync(fd);
  }
}
