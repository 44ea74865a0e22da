import type { Duplex } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** How long a wait may take. */
export interface ConsoleWaitOptions {
  readonly timeoutMs?: number;
  /** Whether a line without its end counts, as a prompt is one. Default false. */
  readonly unfinished?: boolean;
  readonly signal?: AbortSignal;
}

/** Errors of a wait are made by the VM, which knows how it ended - or will know: the console ends a moment earlier. */
export interface ConsoleFailures {
  timedOut(what: string, timeoutMs: number): Error;
  ended(what: string): Promise<Error>;
}

interface Waiter {
  readonly unfinished: boolean;
  matches(line: string): boolean;
  resolve(line: string): void;
  reject(error: Error): void;
  readonly what: string;
}

/** The first serial port: its newest output, kept up to a bound, and a way to type into it. */
export class VmConsole {
  readonly #stream: Duplex;
  readonly #decoder = new StringDecoder('utf8');
  readonly #limit: number;
  readonly #failures: ConsoleFailures;
  readonly #listeners = new Set<(text: string) => void>();
  readonly #waiters = new Set<Waiter>();
  #lines: string[] = [];
  #length = 0;
  #unfinished = '';
  #ended = false;

  constructor(stream: Duplex, limit: number, failures: ConsoleFailures) {
    this.#stream = stream;
    this.#limit = limit;
    this.#failures = failures;
    stream.on('data', (chunk: Buffer) => this.#receive(this.#decoder.write(chunk)));
    stream.on('error', () => this.#end());
    stream.on('end', () => this.#end());
    stream.on('close', () => this.#end());
  }

  /** What is kept, oldest first; carriage returns at line ends are left out. */
  get text(): string {
    return this.#lines.map((line) => `${line}\n`).join('') + this.#unfinished;
  }

  /** The last lines, for messages. */
  tail(lines = 20): string {
    return [...this.#lines, ...(this.#unfinished === '' ? [] : [this.#unfinished])].slice(-lines).join('\n');
  }

  /** Calls back with all output from now on, as it comes; the result ends that. */
  listen(listener: (text: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Types into the serial port. */
  write(text: string): void {
    if (!this.#ended) this.#stream.write(text);
  }

  /**
   * Resolves with the first line, among those kept and those to come, that has the text or matches. Rejects with
   * VmTimeoutError, VmExitedError or the signal's reason.
   */
  waitFor(
    pattern: string | RegExp,
    { timeoutMs, unfinished = false, signal }: ConsoleWaitOptions = {},
  ): Promise<string> {
    const matches = (line: string) =>
      typeof pattern === 'string' ? line.includes(pattern) : line.search(pattern) >= 0;
    const found = [...this.#lines, ...(unfinished ? [this.#unfinished] : [])].find(matches);
    if (found !== undefined) return Promise.resolve(found);
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const what = `waiting for ${typeof pattern === 'string' ? JSON.stringify(pattern) : pattern} on the console`;
    if (this.#ended) return this.#failures.ended(what).then((error) => Promise.reject(error));
    return new Promise((resolve, reject) => {
      const settle =
        <T>(how: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', onAbort);
          this.#waiters.delete(waiter);
          how(value);
        };
      const waiter: Waiter = { matches, what, unfinished, resolve: settle(resolve), reject: settle(reject) };
      const onAbort = () => waiter.reject(signal?.reason as Error);
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(() => waiter.reject(this.#failures.timedOut(what, timeoutMs)), timeoutMs);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
    });
  }

  #receive(text: string): void {
    for (const listener of this.#listeners) listener(text);
    const lines = (this.#unfinished + text).split('\n');
    this.#unfinished = (lines.pop() ?? '').slice(-this.#limit);
    for (const line of lines) this.#keep(line.replace(/\r+$/, ''));
    this.#offer(this.#unfinished, true);
  }

  #keep(line: string): void {
    this.#lines.push(line);
    this.#length += line.length + 1;
    this.#offer(line);
    if (this.#length <= this.#limit) return;
    let dropped = 0;
    // A quarter at once: dropping line by line would move the whole list each time.
    while (dropped < this.#lines.length - 1 && this.#length > this.#limit * 0.75)
      this.#length -= (this.#lines[dropped++]?.length ?? 0) + 1;
    this.#lines = this.#lines.slice(dropped);
  }

  #offer(line: string, unfinished = false): void {
    for (const waiter of this.#waiters)
      if ((!unfinished || waiter.unfinished) && waiter.matches(line)) waiter.resolve(line);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#receive(this.#decoder.end());
    if (this.#unfinished !== '') this.#receive('\n');
    for (const waiter of this.#waiters) void this.#failures.ended(waiter.what).then(waiter.reject);
  }
}
