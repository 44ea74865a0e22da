import type { DuplexLike } from '../byte-stream.ts';
import type { Exchange } from './exchange.ts';
import type { Tags } from './tags.ts';

/** Frames waiting together are joined into writes of about this size. */
const BATCH_BYTES = 64 * 1024;

/** The requests waiting to be sent: for the stream to drain, for a free tag, or for the code that makes several to come to its end. */
export class Outbox {
  readonly #stream: DuplexLike;
  readonly #tags: Tags;
  readonly #streamFailed: (error: unknown) => void;
  readonly #urgent = new Queue();
  readonly #queue = new Queue();
  #scheduled = false;
  #blocked = false;

  constructor(stream: DuplexLike, tags: Tags, streamFailed: (error: unknown) => void) {
    this.#stream = stream;
    this.#tags = tags;
    this.#streamFailed = streamFailed;
    stream.on('drain', () => {
      this.#blocked = false;
      this.#send();
    });
  }

  get size(): number {
    return this.#urgent.size + this.#queue.size;
  }

  add(exchange: Exchange): void {
    this.#queue.push(exchange);
    this.schedule();
  }

  /** To be sent before all that is not urgent. */
  addUrgent(exchange: Exchange): void {
    this.#urgent.push(exchange);
    this.schedule();
  }

  /** Takes back what has not been sent; false when it has. */
  remove(exchange: Exchange): boolean {
    return this.#queue.remove(exchange);
  }

  /** Takes back everything. */
  clear(): Exchange[] {
    return [...this.#urgent.clear(), ...this.#queue.clear()];
  }

  /** Sends what is waiting, as far as possible, in a microtask: requests made together leave together. */
  schedule(): void {
    if (this.#scheduled || this.size === 0) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  write(bytes: Uint8Array): void {
    try {
      if (!this.#stream.write(bytes)) this.#blocked = true;
    } catch (error) {
      this.#streamFailed(error);
    }
  }

  #send(): void {
    while (!this.#blocked) {
      const frames: Uint8Array[] = [];
      let bytes = 0;
      while (bytes < BATCH_BYTES) {
        const frame = this.#nextFrame();
        if (frame === undefined) break;
        frames.push(frame);
        bytes += frame.length;
      }
      if (frames.length === 0) return;
      this.write(frames.length === 1 ? (frames[0] as Uint8Array) : join(frames, bytes));
    }
  }

  /** Takes the first that waits, its tag allotted; undefined when there is none or no tag is free. */
  #nextFrame(): Uint8Array | undefined {
    while (this.size > 0) {
      const queue = this.#urgent.size > 0 ? this.#urgent : this.#queue;
      const exchange = queue.first as Exchange;
      const outcome = this.#tags.allot(exchange);
      if (outcome === 'none free') return undefined;
      queue.shift();
      if (outcome === 'allotted') return tagged(exchange);
      exchange.reject(new RangeError(`tag ${exchange.tag} is in use by another request`));
    }
    return undefined;
  }
}

/** First in, first out; unlike an array's, its `shift` costs the same however many wait. */
class Queue {
  #items: Exchange[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  get first(): Exchange | undefined {
    return this.#items[this.#head];
  }

  push(exchange: Exchange): void {
    this.#items.push(exchange);
  }

  shift(): void {
    this.#head++;
    if (this.#head === this.#items.length) this.clear();
  }

  remove(exchange: Exchange): boolean {
    const at = this.#items.indexOf(exchange, this.#head);
    if (at >= 0) this.#items.splice(at, 1);
    return at >= 0;
  }

  clear(): Exchange[] {
    const left = this.#items.slice(this.#head);
    this.#items = [];
    this.#head = 0;
    return left;
  }
}

function tagged({ frame, tag, hasOwnTag }: Exchange): Uint8Array {
  if (!hasOwnTag && tag !== undefined) {
    frame[5] = tag & 0xff;
    frame[6] = tag >> 8;
  }
  return frame;
}

function join(frames: Uint8Array[], bytes: number): Uint8Array {
  const joined = new Uint8Array(bytes);
  let at = 0;
  for (const frame of frames) {
    joined.set(frame, at);
    at += frame.length;
  }
  return joined;
}
