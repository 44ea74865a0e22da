import { HEADER_SIZE } from '../wire/messages.ts';
import { WireError } from '../wire/wire-error.ts';

const SIZE_BYTES = 4;

/** Cuts a stream's chunks into frames. A frame that lies in one chunk is a view of it; others are gathered in memory of their own. */
export class FrameSplitter {
  /** Longer frames are refused before anything is allocated for them. */
  maxSize: number;
  /** Bytes of the stream before the frame that is being received. */
  position = 0;
  readonly #sizeBytes = new Uint8Array(SIZE_BYTES);
  #frame: Uint8Array | undefined;
  #filled = 0;

  constructor(maxSize: number) {
    this.maxSize = maxSize;
  }

  /** `5 of 23 bytes` of a frame begun but not complete; undefined between two frames. */
  get unfinished(): string | undefined {
    if (this.#filled === 0) return undefined;
    return `${this.#filled} of ${this.#frame === undefined ? 'at least 7' : this.#frame.length} bytes`;
  }

  /**
   * Calls `take` with every frame that `chunk` completes.
   * Throws WireError for a size that no frame can have; the stream's frames cannot be told apart after that.
   */
  push(chunk: Uint8Array, take: (frame: Uint8Array) => void): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#filled === 0 && chunk.length - at >= SIZE_BYTES) {
        const size = this.#frameSize(chunk, at);
        if (chunk.length - at >= size) {
          take(chunk.subarray(at, at + size));
          at += size;
          this.position += size;
          continue;
        }
      }
      at += this.#gather(chunk, at);
      const frame = this.#frame;
      if (frame !== undefined && this.#filled === frame.length) {
        this.#frame = undefined;
        this.#filled = 0;
        take(frame);
        this.position += frame.length;
      }
    }
  }

  /** Adds bytes from chunk[at] on to the frame being gathered; returns how many. */
  #gather(chunk: Uint8Array, at: number): number {
    const into = this.#frame ?? this.#sizeBytes;
    const part = chunk.subarray(at, at + into.length - this.#filled);
    into.set(part, this.#filled);
    this.#filled += part.length;
    if (this.#frame === undefined && this.#filled === SIZE_BYTES) {
      this.#frame = new Uint8Array(this.#frameSize(this.#sizeBytes, 0));
      this.#frame.set(this.#sizeBytes);
    }
    return part.length;
  }

  #frameSize(bytes: Uint8Array, at: number): number {
    const size = new DataView(bytes.buffer, bytes.byteOffset + at, SIZE_BYTES).getUint32(0, true);
    if (size >= HEADER_SIZE && size <= this.maxSize) return size;
    throw new WireError('ERR_P9_FRAME_SIZE', {
      offset: 0,
      expected: `a size from ${HEADER_SIZE} to ${this.maxSize} (msize)`,
      found: `${size}`,
    });
  }
}
