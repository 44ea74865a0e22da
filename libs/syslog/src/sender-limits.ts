import { RateLimiter, type RateLimitOptions } from './rate-limit.ts';

/** Limits by the clock, and tells of each sender once an interval how many records were suppressed, and what was allowed. */
export class SenderLimits {
  readonly #limiter: RateLimiter;
  readonly #onSuppressed: (records: number, sender: number, allowed: string) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    options: RateLimitOptions,
    onSuppressed: (records: number, sender: number, allowed: string) => void,
  ) {
    this.#limiter = new RateLimiter(options);
    this.#onSuppressed = onSuppressed;
  }

  /** Whether a record of that sender may pass. */
  admit(sender: number): boolean {
    if (this.#limiter.admit(sender, performance.now())) return true;
    this.#timer ??= setTimeout(() => this.#tell(), this.#limiter.options.intervalMs);
    return false;
  }

  /** Tells what has not been told. */
  close(): void {
    clearTimeout(this.#timer);
    this.#tell();
  }

  #tell(): void {
    this.#timer = undefined;
    const { messages, intervalMs } = this.#limiter.options;
    const allowed = `${messages} in ${intervalMs / 1000} s are allowed`;
    for (const { sender, records } of this.#limiter.settle()) this.#onSuppressed(records, sender, allowed);
  }
}
