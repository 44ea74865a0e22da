import type { Exchange } from './exchange.ts';

/**
 * Requests get tags below this one. The Tflush of a request has the request's tag with this bit set, so that cancelling never has to wait for a free tag.
 */
export const FLUSH_TAG = 0x8000;

/** The tags in use: by requests sent and not done with. */
export class Tags {
  readonly #exchanges = new Map<number, Exchange>();
  #next = 0;

  get size(): number {
    return this.#exchanges.size;
  }

  get(tag: number): Exchange | undefined {
    return this.#exchanges.get(tag);
  }

  /** Gives the exchange its own tag or the next free one: the one longest unused, so that a reply out of place is noticed. */
  allot(exchange: Exchange): 'allotted' | 'none free' | 'in use' {
    const tag = exchange.tag ?? this.#free();
    if (tag === undefined) return 'none free';
    if (this.#exchanges.has(tag)) return 'in use';
    exchange.tag = tag;
    this.#exchanges.set(tag, exchange);
    return 'allotted';
  }

  release(tag: number): void {
    this.#exchanges.delete(tag);
  }

  /** Ends the use of all tags; gives what used them. */
  clear(): Exchange[] {
    const exchanges = [...this.#exchanges.values()];
    this.#exchanges.clear();
    return exchanges;
  }

  #free(): number | undefined {
    for (let tried = 0; tried < FLUSH_TAG; tried++) {
      const tag = this.#next;
      this.#next = (tag + 1) % FLUSH_TAG;
      if (!this.#exchanges.has(tag)) return tag;
    }
    return undefined;
  }
}
