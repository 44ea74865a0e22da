/** Indexes that fit the high 16 bits of a qid's path; 0 is nobody's. */
const INDEXES = 0x1_0000;
/** Most indexes of one range. */
const MOST = 1024;

/**
 * Keeps the qids of several filesystems apart: the high 16 bits of a path are replaced by an index, one for each value of them that a
 * filesystem shows. That is one for most; one for each device where a filesystem passes several through, and one for each
 * member where it is composed itself. Index 0 is left to whoever owns the space.
 */
export class QidSpace {
  readonly #free: number[] = [];
  #next = 1;

  range(): QidRange {
    return new QidRange(this);
  }

  /** An index that nobody has, or undefined when there is none. */
  take(): number | undefined {
    return this.#free.pop() ?? (this.#next < INDEXES ? this.#next++ : undefined);
  }

  giveBack(index: number): void {
    this.#free.push(index);
  }
}

/** The part of a space that one filesystem's qids lie in. */
export class QidRange {
  readonly #space: QidSpace;
  readonly #indexes = new Map<number, number>();
  #lastHigh = -1;
  #lastIndex = 0;
  #isFull = false;

  constructor(space: QidSpace) {
    this.#space = space;
  }

  /** The high half of a path, made this filesystem's own. */
  map(pathHigh: number): number {
    const high = pathHigh >>> 16;
    if (high !== this.#lastHigh) {
      this.#lastIndex = this.#indexOf(high);
      this.#lastHigh = high;
    }
    return ((this.#lastIndex << 16) | (pathHigh & 0xffff)) >>> 0;
  }

  /** To be called when no qid of this range is in use any more. */
  giveBack(): void {
    for (const index of this.#indexes.values()) this.#space.giveBack(index);
    this.#indexes.clear();
    this.#lastHigh = -1;
  }

  #indexOf(high: number): number {
    const known = this.#indexes.get(high);
    if (known !== undefined) return known;
    const index = this.#isFull || this.#indexes.size >= MOST ? undefined : this.#space.take();
    if (index !== undefined) {
      this.#indexes.set(high, index);
      return index;
    }
    // Paths with so many high halves are hashes, or as good as: two of them are equal by chance or not at all.
    this.#isFull = true;
    return high;
  }
}
