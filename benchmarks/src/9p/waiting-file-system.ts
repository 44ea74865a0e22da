import { setTimeout as sleep } from 'node:timers/promises';
import { HostFileSystem } from '@vm-tools/p9-protocol/host';

/** How long each fsync waits: a disk that is very slow. */
export const WAIT_MS = 1000;

/** The host's filesystem on such a disk. For `serveThreaded`. */
export class WaitingFileSystem extends HostFileSystem {
  override async fsync(): Promise<number> {
    await sleep(WAIT_MS);
    return 0;
  }
}

export function createFileSystem({ root }: { root: string }): WaitingFileSystem {
  return new WaitingFileSystem({ root });
}
