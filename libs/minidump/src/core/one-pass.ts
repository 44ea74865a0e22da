import type { Ask, Reading } from './reading.ts';

/** Bytes that flow by once. */
export interface ByteFlow {
  /** Fills all of `into`; less only when the flow ends. @returns how many bytes */
  read(into: Uint8Array): number | Promise<number>;
  /** Passes over bytes without looking at them. @returns how many; fewer only when the flow ends */
  skip(size: number): number | Promise<number>;
}

/** Someone who waits for bytes. */
class Wait {
  readonly start: number;
  readonly end: number;
  readonly resume: ((bytes: Uint8Array) => void) | undefined;
  #bytes: Uint8Array | undefined;
  filled = 0;

  constructor({ offset, size }: Ask, resume?: (bytes: Uint8Array) => void) {
    this.start = offset;
    this.end = offset + size;
    this.resume = resume;
  }

  /** Room for what is waited for; not taken before it begins to come. */
  get room(): Uint8Array {
    this.#bytes ??= new Uint8Array(this.end - this.start);
    return this.#bytes;
  }

  /** What has come. */
  get bytes(): Uint8Array {
    return this.#bytes ? this.#bytes.subarray(0, this.filled) : new Uint8Array(0);
  }
}

/**
 * Runs readers on bytes that flow past once. All that are started wait at the same time; what none of them has asked for is
 * passed over. A reader that asks for what is past gets it if it was {@link retain}ed, else nothing.
 */
export class OnePass {
  readonly seekable = false;
  readonly #flow: ByteFlow;
  /** By where they begin, descending. */
  readonly #upcoming: Wait[] = [];
  #sorted = true;
  #active: Wait[] = [];
  /** By where they begin, ascending. */
  readonly #retained: Wait[] = [];
  #position = 0;
  #ended = false;

  constructor(flow: ByteFlow) {
    this.#flow = flow;
  }

  /** Of the next byte to flow past. */
  get position(): number {
    return this.#position;
  }

  /** Whether the flow has ended, and not only what was waited for. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Starts a reader; `done` is told what it returns. */
  start<T>(reading: Reading<T>, done: (result: T) => void): void {
    this.#go(reading, undefined, done);
  }

  /** Keeps bytes for those who will ask when they are past. */
  retain(ask: Ask): void {
    if (ask.offset < this.#position) return;
    const wait = new Wait(ask);
    this.#retained.splice(this.#retainedBefore(wait.start), 0, wait);
    this.#enqueue(wait);
  }

  /** Lets the bytes flow until nobody waits any more. @param onTurn called now and then; may throw to stop */
  async run(onTurn: () => void): Promise<void> {
    for (;;) {
      onTurn();
      if (this.#active.length === 0) {
        const next = this.#peek();
        if (!next) return;
        await this.#skipTo(next.start);
      }
      this.#activate();
      await this.#fill();
      this.#finish();
    }
  }

  /** Lets the rest flow past, until it ends. */
  async drain(onTurn: () => void): Promise<void> {
    while (!this.#ended) {
      onTurn();
      await this.#skipTo(this.#position + (1 << 26));
    }
  }

  #go<T>(reading: Reading<T>, given: Uint8Array | undefined, done: (result: T) => void): void {
    let step = given === undefined ? reading.next() : reading.next(given);
    while (!step.done) {
      const ask = step.value;
      const bytes = this.#now(ask);
      if (!bytes) {
        this.#enqueue(new Wait(ask, (bytes) => this.#go(reading, bytes, done)));
        return;
      }
      step = reading.next(bytes);
    }
    done(step.value);
  }

  /** What an ask gets without waiting; undefined: it has to wait. */
  #now({ offset, size }: Ask): Uint8Array | undefined {
    if (size <= 0) return new Uint8Array(0);
    if (offset >= this.#position && !this.#ended) return undefined;
    const kept = this.#retained[this.#retainedBefore(offset) - 1];
    if (!kept || kept.end <= offset) return new Uint8Array(0);
    return kept.bytes.subarray(offset - kept.start, offset - kept.start + size);
  }

  /** How many of what is retained begin there or before. */
  #retainedBefore(offset: number): number {
    let low = 0;
    let high = this.#retained.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#retained[middle] as Wait).start <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #enqueue(wait: Wait): void {
    this.#upcoming.push(wait);
    this.#sorted = false;
  }

  #peek(): Wait | undefined {
    if (!this.#sorted) this.#upcoming.sort((a, b) => b.start - a.start);
    this.#sorted = true;
    return this.#upcoming.at(-1);
  }

  async #skipTo(offset: number): Promise<void> {
    const size = offset - this.#position;
    if (size <= 0 || this.#ended) return;
    const skipped = await this.#flow.skip(size);
    this.#position += skipped;
    this.#ended = skipped < size;
  }

  #activate(): void {
    for (
      let next = this.#peek();
      next && (next.start <= this.#position || this.#ended);
      next = this.#peek()
    ) {
      this.#active.push(next);
      this.#upcoming.pop();
    }
  }

  /** Reads up to the next place where someone begins to wait or has got everything. */
  async #fill(): Promise<void> {
    if (this.#ended) return;
    const from = this.#position;
    let to = this.#peek()?.start ?? Number.POSITIVE_INFINITY;
    for (const { end } of this.#active) to = Math.min(to, end);
    const [first, ...others] = this.#active as [Wait, ...Wait[]];
    const into = first.room.subarray(from - first.start, to - first.start);
    const read = await this.#flow.read(into);
    for (const other of others) other.room.set(into.subarray(0, read), from - other.start);
    for (const wait of this.#active) wait.filled = from - wait.start + read;
    this.#position += read;
    this.#ended = read < into.length;
  }

  #finish(): void {
    const over = this.#active.filter(({ end }) => end <= this.#position || this.#ended);
    if (over.length === 0) return;
    this.#active = this.#active.filter((wait) => !over.includes(wait));
    for (const wait of over) wait.resume?.(wait.bytes);
  }
}
