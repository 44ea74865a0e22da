import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { harmless } from './terminal.ts';

/** Where what was read goes. */
export interface Output {
  /** Bytes of the guest. */
  guest(bytes: Uint8Array): void;
  /** Our own words. */
  text(text: string): void;
}

const STDOUT = 1;
const PAUSE_MS = 5;

/** Standard output. On a terminal, bytes of the guest are made harmless unless they shall be raw. */
export function standardOutput({ raw }: { raw: boolean }): Output {
  // process.stdout would take 2 ms to be made.
  const isTerminal = isatty(STDOUT);
  return {
    guest: (bytes) => writeAll(isTerminal && !raw ? Buffer.from(harmless(bytes)) : bytes),
    text: (text) => writeAll(Buffer.from(text)),
  };
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Before it returns, however slowly somebody reads: the program ends right behind. */
function writeAll(bytes: Uint8Array): void {
  for (let rest = bytes; rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(STDOUT, rest));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Nobody reads any more: that is for whoever runs us to decide, as with head(1).
      if (code === 'EPIPE') process.exit(0);
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(sleeper, 0, 0, PAUSE_MS);
    }
  }
}
