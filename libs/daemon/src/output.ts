import { writeSync } from 'node:fs';

const PATIENCE_MS = 100;
const PAUSE_MS = 5;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * Writes all of a text to a descriptor before it returns: `process.stdout` would cost 1 ms at start-up. A pipe that someone
 * made non-blocking and that is full is given 100 ms.
 *
 * @returns whether all of it was written
 */
export function writeText(fd: number, text: string): boolean {
  let bytes = Buffer.from(text);
  for (let waited = 0; bytes.length > 0; ) {
    try {
      bytes = bytes.subarray(writeSync(fd, bytes));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EINTR') continue;
      // EPIPE, EBADF, EIO: nobody reads.
      if (code !== 'EAGAIN' || waited >= PATIENCE_MS) return false;
      Atomics.wait(sleeper, 0, 0, PAUSE_MS);
      waited += PAUSE_MS;
    }
  }
  return true;
}
