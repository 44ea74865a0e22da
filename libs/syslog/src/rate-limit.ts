export interface RateLimitOptions {
  /** How many records a sender may have in an interval. */
  readonly messages: number;
  /** In milliseconds; it begins with a sender's first record behind the one before. */
  readonly intervalMs: number;
}

/** How many records of a sender an interval that is over has cost. */
export interface Suppressed {
  readonly sender: number;
  readonly records: number;
}

interface Interval {
  end: number;
  admitted: number;
  suppressed: number;
}

/** Senders that are remembered before those are looked for whose interval is over. */
const CROWD = 1024;

/** Holds each sender for itself to so many records an interval. Times are milliseconds of any clock that does not go back. */
export class RateLimiter {
  readonly options: RateLimitOptions;
  readonly #intervals = new Map<number, Interval>();
  #over: Suppressed[] = [];
  #crowd = CROWD;

  constructor(options: RateLimitOptions) {
    this.options = options;
  }

  /** Whether a record of that sender may pass now. */
  admit(sender: number, now: number): boolean {
    let interval = this.#intervals.get(sender);
    if (!interval || interval.end <= now) {
      if (interval) this.#settle(sender, interval);
      else this.#forgetSome(now);
      interval = { end: now + this.options.intervalMs, admitted: 0, suppressed: 0 };
      this.#intervals.set(sender, interval);
    }
    if (interval.admitted < this.options.messages) {
      interval.admitted++;
      return true;
    }
    interval.suppressed++;
    return false;
  }

  /** What was suppressed in intervals that are over, each told once. */
  settle(now = Number.POSITIVE_INFINITY): Suppressed[] {
    for (const [sender, interval] of this.#intervals) {
      if (interval.suppressed === 0 || interval.end > now) continue;
      this.#settle(sender, interval);
      this.#intervals.delete(sender);
    }
    return this.#over.splice(0);
  }

  #settle(sender: number, { suppressed }: Interval): void {
    if (suppressed > 0) this.#over.push({ sender, records: suppressed });
  }

  /** Processes come and go, and each has a number of its own. */
  #forgetSome(now: number): void {
    if (this.#intervals.size < this.#crowd) return;
    for (const [sender, interval] of this.#intervals) {
      if (interval.end > now) continue;
      this.#settle(sender, interval);
      this.#intervals.delete(sender);
    }
    this.#crowd = Math.max(CROWD, 2 * this.#intervals.size);
  }
}
