import { ExitCode } from './exit-status.ts';
import type { Log } from './log.ts';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
type ShutdownSignal = (typeof SIGNALS)[number];

export type ShutdownHandler = () => void | Promise<void>;

export interface ShutdownOptions {
  readonly log: Log;
  /** How long the handlers have together, in milliseconds; default 10,000. */
  readonly deadlineMs?: number;
  /** The first of the handlers. */
  readonly announce?: () => void | Promise<void>;
  /** How the process ends; default `process.exit`. */
  readonly exit?: (code: number) => void;
  /** How it ends at once: by the signal, as if nobody had caught it. Default `process.kill` of itself. */
  readonly kill?: (signal: ShutdownSignal) => void;
}

/**
 * The end of a daemon. The first SIGTERM or SIGINT (or `begin`) runs the handlers, the last one registered first and one
 * after the other, and the process exits with 0, or 70 if one of them failed. A second signal, or the deadline, ends the
 * process by that signal at once: threads that hang in a system call cannot hold it up, as they can `process.exit`.
 */
export class Shutdown implements Disposable {
  readonly #handlers: { readonly what: string; readonly handler: ShutdownHandler }[] = [];
  readonly #options: Required<ShutdownOptions>;
  readonly #controller = new AbortController();
  #ended: Promise<void> | undefined;

  constructor(options: ShutdownOptions) {
    this.#options = {
      deadlineMs: 10_000,
      announce: () => undefined,
      exit: (code) => process.exit(code),
      kill: (signal) => process.kill(process.pid, signal),
      ...options,
    };
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
  }

  /** Aborted when the shutdown begins. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * Has `handler` run at the end; `what` it does completes "failed to ...". Registered during the shutdown it still
   * runs, next.
   */
  onShutdown(what: string, handler: ShutdownHandler): void {
    this.#handlers.push({ what, handler });
  }

  /** Ends the process with this code, or 70 if a handler fails. */
  begin(exitCode: ExitCode = ExitCode.ok): Promise<void> {
    this.#ended ??= this.#run('SIGTERM', exitCode);
    return this.#ended;
  }

  /** Signals have their own effect again. */
  [Symbol.dispose](): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
  }

  readonly #onSignal = (signal: ShutdownSignal): void => {
    const { log } = this.#options;
    if (this.signal.aborted) {
      log.warn(`${signal} again: ending at once`);
      this.#endAtOnce(signal);
      return;
    }
    log.info(`${signal}: shutting down`);
    this.#ended = this.#run(signal, ExitCode.ok);
  };

  async #run(signal: ShutdownSignal, exitCode: ExitCode): Promise<void> {
    const { log, deadlineMs, announce, exit } = this.#options;
    let current = '';
    let code: ExitCode = exitCode;
    const deadline = setTimeout(() => {
      log.error(`shutdown was not done within ${deadlineMs} ms: it still had to ${current}; ending at once`);
      this.#endAtOnce(signal);
    }, deadlineMs);
    this.#controller.abort();
    this.#handlers.push({ what: 'announce the end', handler: announce });
    for (let next = this.#handlers.pop(); next; next = this.#handlers.pop()) {
      current = next.what;
      try {
        await next.handler();
      } catch (error) {
        log.error(`failed to ${current}`, { error });
        code = ExitCode.internal;
      }
    }
    clearTimeout(deadline);
    exit(code);
  }

  #endAtOnce(signal: ShutdownSignal): void {
    // With the last listener gone the signal has its default action, which no thread can delay.
    for (const each of SIGNALS) process.removeAllListeners(each);
    this.#options.kill(signal);
  }
}
