/** What a formatted record costs in memory beyond its bytes. */
const RECORD_COST = 64;
/** What a sender may put into a batch before it is the next one's turn, in bytes. */
const TURN = 4096;
/** Places at the beginning of a queue that may be left empty. */
const SLACK = 1024;

/** The records of one sender, in their order. */
class Queue {
  /** Those before `#head` are gone. */
  #records: Buffer[] = [];
  #head = 0;
  bytes = 0;

  get length(): number {
    return this.#records.length - this.#head;
  }

  add(record: Buffer): void {
    this.#records.push(record);
    this.bytes += SenderQueues.cost(record.length);
  }

  /** The first records that fit into so many bytes together. */
  fitting(maxBytes: number): Buffer[] {
    let end = this.#head;
    for (let left = maxBytes; end < this.#records.length; end++) {
      left -= (this.#records[end] as Buffer).length;
      if (left < 0) break;
    }
    return this.first(end - this.#head);
  }

  first(count: number): Buffer[] {
    return this.#records.slice(this.#head, this.#head + count);
  }

  remove(records: readonly Buffer[]): void {
    for (const { length } of records) this.bytes -= SenderQueues.cost(length);
    this.#head += records.length;
    if (this.#head <= SLACK || this.#head < this.length) return;
    this.#records = this.#records.slice(this.#head);
    this.#head = 0;
  }
}

/** Records that were chosen to go together, in order for each sender. */
export type Chosen = readonly { readonly sender: number; readonly records: readonly Buffer[] }[];

/** Records in memory, in a queue for each sender. */
export class SenderQueues {
  readonly #queues = new Map<number, Queue>();
  /** What the records cost, in bytes of memory. */
  bytes = 0;
  /** How many there are. */
  records = 0;

  /** What a record of so many bytes costs here. */
  static cost(length: number): number {
    return length + RECORD_COST;
  }

  add(sender: number, record: Buffer): void {
    let queue = this.#queues.get(sender);
    if (!queue) {
      queue = new Queue();
      this.#queues.set(sender, queue);
    }
    queue.add(record);
    this.bytes += SenderQueues.cost(record.length);
    this.records++;
  }

  /** Takes records of those senders in turns, so that who sends much does not hold up who sends little. */
  takeInTurns(maxBytes: number, maySend: (sender: number) => boolean): Chosen {
    const chosen: { sender: number; records: readonly Buffer[] }[] = [];
    let left = maxBytes;
    const waiting = [...this.#queues].filter(([sender]) => maySend(sender));
    for (let next = waiting.shift(); next && left > 0; next = waiting.shift()) {
      const [sender, queue] = next;
      let records = queue.fitting(Math.min(TURN, left));
      // A record that is larger than a turn has one of its own; one that is larger than a batch has that.
      if (records.length === 0) records = queue.first(1);
      const bytes = records.reduce((sum, { length }) => sum + length, 0);
      if (bytes > left && chosen.length > 0) continue;
      left -= bytes;
      this.#remove(sender, queue, records);
      chosen.push({ sender, records });
      if (queue.length > 0) waiting.push(next);
    }
    return chosen;
  }

  /** Of those who have most, what fits into so many bytes. Nothing is taken out: see `remove`. */
  largest(maxBytes: number, maxSenders: number): Chosen {
    const chosen: { sender: number; records: readonly Buffer[] }[] = [];
    let left = maxBytes;
    for (const [sender, queue] of [...this.#queues].sort(([, a], [, b]) => b.bytes - a.bytes)) {
      if (chosen.length === maxSenders || left <= 0) break;
      let records = queue.fitting(left);
      if (records.length === 0 && chosen.length === 0) records = queue.first(1);
      if (records.length === 0) break;
      left -= records.reduce((sum, { length }) => sum + length, 0);
      chosen.push({ sender, records });
    }
    return chosen;
  }

  /** Takes out what `largest` chose. */
  remove(chosen: Chosen): void {
    for (const { sender, records } of chosen) {
      this.#remove(sender, this.#queues.get(sender) as Queue, records);
    }
  }

  /** Who had a turn goes behind the others. */
  #remove(sender: number, queue: Queue, records: readonly Buffer[]): void {
    const before = queue.bytes;
    queue.remove(records);
    this.bytes -= before - queue.bytes;
    this.records -= records.length;
    this.#queues.delete(sender);
    if (queue.length > 0) this.#queues.set(sender, queue);
  }
}
