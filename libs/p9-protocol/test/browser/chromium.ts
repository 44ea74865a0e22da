import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const switches = [
  '--headless',
  // It runs nothing but our own page, which comes from a file; the sandbox does not run as root.
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--remote-debugging-pipe',
];

interface Answer {
  id?: number;
  result?: { sessionId?: string; targetId?: string; result?: { value?: unknown }; exceptionDetails?: object };
  error?: { message: string };
}

/** A Chromium without a window, spoken to in the DevTools protocol over a pipe: descriptor 3 to it, 4 from it, messages ended by NUL. */
export class Chromium {
  readonly #profile = mkdtempSync(join(tmpdir(), 'chromium-'));
  readonly #process: ChildProcess;
  readonly #to: Writable;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #exited: Promise<unknown>;
  #errors = '';
  #buffered = '';
  #nextId = 1;

  /** @throws an Error that says how to install Chromium where there is none */
  static async start(): Promise<Chromium> {
    const browser = new Chromium();
    try {
      await browser.#call('Browser.getVersion', {});
      return browser;
    } catch (error) {
      await browser[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor() {
    this.#process = spawn('chromium', [...switches, `--user-data-dir=${this.#profile}`], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    });
    const { stderr, stdio } = this.#process;
    this.#to = stdio[3] as Writable;
    // It may have gone before it has read everything; that is noticed at its exit.
    this.#to.on('error', () => {});
    stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-2000);
    });
    (stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => this.#receive(text));
    this.#exited = new Promise((resolve) => {
      const over = (why: string) => {
        for (const answer of this.#waiting.values()) answer({ error: { message: why } });
        resolve(undefined);
      };
      this.#process.once('error', (error) =>
        over(`${error.message}; to install it: apt-get install chromium`),
      );
      this.#process.once('exit', (code) => over(`chromium has ended with ${code}: ${this.#errors}`));
    });
  }

  /** Opens a page and gives what the expression, or the promise that it is, amounts to there. */
  async evaluate<T>(url: string, expression: string): Promise<T> {
    const { targetId } = await this.#call('Target.createTarget', { url });
    const { sessionId } = await this.#call('Target.attachToTarget', { targetId, flatten: true });
    // The page may be about to replace the first, empty document.
    for (;;) {
      const { result } = await this.#evaluate(`document.readyState + location.protocol`, sessionId);
      if (result?.value === `complete${new URL(url).protocol}`) break;
    }
    const { result, exceptionDetails } = await this.#evaluate(expression, sessionId);
    if (exceptionDetails !== undefined) throw new Error(`in the page: ${JSON.stringify(exceptionDetails)}`);
    return result?.value as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.pid !== undefined) {
      // Asked, it takes its helpers along.
      void this.#call('Browser.close', {}).catch(() => {});
      const kill = setTimeout(() => this.#process.kill('SIGKILL'), 10_000);
      await once(this.#process, 'exit');
      clearTimeout(kill);
    }
    await this.#exited;
    // A helper that is slower may still write.
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  #evaluate(expression: string, sessionId: string | undefined) {
    return this.#call('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true }, sessionId);
  }

  async #call(method: string, params: object, sessionId?: string): Promise<NonNullable<Answer['result']>> {
    const id = this.#nextId++;
    const { result, error } = await new Promise<Answer>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#to.write(`${JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) })}\0`);
    });
    if (result === undefined) throw new Error(`${method}: ${error?.message}`);
    return result;
  }

  #receive(text: string): void {
    const messages = (this.#buffered + text).split('\0');
    this.#buffered = messages.pop() ?? '';
    for (const message of messages) {
      const answer = JSON.parse(message) as Answer;
      if (answer.id === undefined) continue;
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    }
  }
}
