import type { Log } from '@vm-tools/daemon';
import type { RamoopsLayout } from '@vm-tools/pstore';
import { watchConsole } from '@vm-tools/pstore/host';
import type { Output } from './output.ts';
import { giveUpFor } from './source.ts';

export interface FollowOptions {
  readonly layout: RamoopsLayout | string;
  readonly output: Output;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Prints the console as it comes, until the signal. */
export async function follow(path: string, { layout, output, log, signal }: FollowOptions): Promise<void> {
  try {
    for await (const event of watchConsole(path, { layout, signal })) {
      if (event.kind === 'data') output.guest(event.bytes);
      else if (event.kind === 'restart') log.info('the guest has started anew');
      else if (event.revised)
        log.warn('what was printed last had not been written yet, and is other than that');
      else log.warn('the guest wrote faster than could be read: lines are missing here');
    }
  } catch (error) {
    giveUpFor(error);
  }
}
