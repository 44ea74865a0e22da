import { constants, fstatSync, lstatSync, unlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as linux from '@vm-tools/linux';
import type { UnixAddress } from './address.ts';
import { inUse } from './listen-options.ts';

const { F_WRLCK } = linux.constants;
const PAUSE_MS = 10;
const ATTEMPTS = 200;

/**
 * Runs `work` while no other process runs it for the same path: a lock on the file `${path}.lock`, which is gone
 * afterwards. The kernel releases the lock of a process that dies.
 */
export async function withPathLock<T>(address: UnixAddress, work: () => T): Promise<T> {
  const path = `${address.path}.lock`;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const fd = linux.keptOpen(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      // Who held the lock may have removed the file between our open and our lock: then it guards nothing.
      if (linux.ofdSetLock(fd, F_WRLCK, 0, 0) === 0 && isAt(path, fd)) {
        try {
          return work();
        } finally {
          unlinkSync(path);
        }
      }
    } finally {
      linux.close(fd);
    }
    await sleep(PAUSE_MS);
  }
  throw inUse(address, { remedy: `another program is setting it up: find out who has ${path} open` });
}

function isAt(path: string, fd: number): boolean {
  const file = fstatSync(fd, { bigint: true });
  const there = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return there !== undefined && there.ino === file.ino && there.dev === file.dev;
}
