import type { Writable } from 'node:stream';

/** As native/vsock-peer.c has it. */
const PATTERN = 65_521;
const BLOCK = 65_536;
const pattern = Buffer.alloc(PATTERN + BLOCK);
for (let index = 0; index < pattern.length; index++) {
  const place = index % PATTERN;
  pattern[index] = place * 31 + Math.floor(place / 256);
}

/** Compares what comes with the pattern. */
export class PatternReader {
  #received = 0;
  #isRight = true;

  push(data: Buffer): void {
    for (let at = 0; at < data.length; ) {
      const start = this.#received % PATTERN;
      const length = Math.min(data.length - at, BLOCK);
      this.#isRight &&= data.subarray(at, at + length).equals(pattern.subarray(start, start + length));
      this.#received += length;
      at += length;
    }
  }

  /** As vsock-peer says it: how many bytes, and whether they were right. */
  get verdict(): string {
    return `${this.#received} ${this.#isRight ? 'right' : 'wrong'}`;
  }
}

/** Writes so much of the pattern as fast as it is taken, and ends. */
export function writePattern(stream: Writable, bytes: number): void {
  let done = 0;
  const more = () => {
    while (done < bytes) {
      const start = done % PATTERN;
      const length = Math.min(BLOCK, bytes - done);
      done += length;
      if (!stream.write(pattern.subarray(start, start + length))) {
        stream.once('drain', more);
        return;
      }
    }
    stream.end();
  };
  more();
}
