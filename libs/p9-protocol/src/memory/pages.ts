import { Errno } from '../errno.ts';

const PAGE = 1 << 16;

/** How much all files of a filesystem may hold. */
export class Budget {
  readonly limit: number;
  used = 0;

  constructor(limit: number) {
    this.limit = limit;
  }
}

/** A file's bytes in pages of 64 KiB, of which those never written take no room. */
export class Pages {
  readonly #pages = new Map<number, Uint8Array>();
  readonly #budget: Budget;
  #size = 0;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  get size(): number {
    return this.#size;
  }

  /** Bytes that really take room. */
  get allocated(): number {
    return this.#pages.size * PAGE;
  }

  read(offset: number, into: Uint8Array, start: number, count: number): number {
    const end = Math.min(offset + count, this.#size);
    for (let at = offset; at < end; ) {
      const within = at % PAGE;
      const length = Math.min(PAGE - within, end - at);
      const page = this.#pages.get(Math.floor(at / PAGE));
      const to = start + at - offset;
      if (page === undefined) into.fill(0, to, to + length);
      else into.set(page.subarray(within, within + length), to);
      at += length;
    }
    return Math.max(0, end - offset);
  }

  /** How many bytes were written, fewer than `count` when room ran out; a negative errno if none could be. */
  write(offset: number, from: Uint8Array, start: number, count: number): number {
    let at = offset;
    const end = offset + count;
    while (at < end) {
      const within = at % PAGE;
      const length = Math.min(PAGE - within, end - at);
      const page = this.#page(Math.floor(at / PAGE));
      if (page === undefined) break;
      const first = start + at - offset;
      page.set(from.subarray(first, first + length), within);
      at += length;
    }
    if (at === offset && count > 0) return -Errno.ENOSPC;
    if (count > 0) this.#size = Math.max(this.#size, at);
    return at - offset;
  }

  truncate(size: number): void {
    const last = Math.floor(size / PAGE);
    for (const index of [...this.#pages.keys()]) if (index * PAGE >= size) this.#free(index);
    // What lies behind the new end must read as zero if the file grows again.
    this.#pages.get(last)?.fill(0, size % PAGE);
    this.#size = size;
  }

  #page(index: number): Uint8Array | undefined {
    let page = this.#pages.get(index);
    if (page === undefined && this.#budget.used + PAGE <= this.#budget.limit) {
      page = new Uint8Array(PAGE);
      this.#budget.used += PAGE;
      this.#pages.set(index, page);
    }
    return page;
  }

  #free(index: number): void {
    this.#pages.delete(index);
    this.#budget.used -= PAGE;
  }
}
