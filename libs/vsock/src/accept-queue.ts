interface Waiting<T> {
  resolve(item: T): void;
  reject(error: Error): void;
}

/** Who comes in, and who waits for the next one. */
export class AcceptQueue<T> {
  readonly #items: T[] = [];
  readonly #waiting = new Set<Waiting<T>>();
  readonly #isUsable: (item: T) => boolean;
  #end: (() => Error) | undefined;

  /** @param isUsable asked when an item goes to someone: what is not is passed over */
  constructor(isUsable: (item: T) => boolean = () => true) {
    this.#isUsable = isUsable;
  }

  push(item: T): void {
    const [first] = this.#waiting;
    if (!first) this.#items.push(item);
    else if (this.#isUsable(item)) first.resolve(item);
  }

  /** The next one. Rejects with the reason of the signal, or once it is closed and empty. */
  take(signal?: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      while (this.#items.length > 0) {
        const item = this.#items.shift() as T;
        if (this.#isUsable(item)) return resolve(item);
      }
      if (this.#end) return reject(this.#end());
      const settled = () => {
        this.#waiting.delete(waiting);
        signal?.removeEventListener('abort', aborted);
      };
      const waiting: Waiting<T> = {
        resolve: (item) => {
          settled();
          resolve(item);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      };
      const aborted = () => waiting.reject(signal?.reason as Error);
      signal?.addEventListener('abort', aborted, { once: true });
      this.#waiting.add(waiting);
    });
  }

  /** One after the other, until it is closed. */
  async *all(): AsyncGenerator<T, void, void> {
    for (;;) {
      let item: T;
      try {
        item = await this.take();
      } catch (error) {
        if (this.#end) return;
        throw error;
      }
      yield item;
    }
  }

  /** Tells everyone who waits, and returns what nobody took. */
  close(end: () => Error): T[] {
    this.#end = end;
    for (const waiting of [...this.#waiting]) waiting.reject(end());
    return this.#items.splice(0);
  }
}
