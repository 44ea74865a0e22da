import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A program of this folder in a process of its own, which is killed when it is disposed of. */
export class Child implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly #messages: AsyncIterator<[unknown]>;

  constructor(file: string, ...args: string[]) {
    const execArgv = ['--conditions=@vm-tools/source', '--disable-warning=ExperimentalWarning'];
    this.process = fork(fileURLToPath(new URL(file, import.meta.url)), args, { execArgv });
    this.#messages = messagesOf(this.process);
  }

  /** What it says next. */
  async next(): Promise<unknown> {
    const { value } = await this.#messages.next();
    return value[0];
  }

  /** Its exit code. */
  async end(): Promise<number | null> {
    if (this.process.exitCode === null && this.process.signalCode === null) await once(this.process, 'exit');
    return this.process.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill('SIGKILL');
    await this.end();
  }
}

async function* messagesOf(child: ChildProcess): AsyncGenerator<[unknown]> {
  const waiting: unknown[] = [];
  let wake = () => {};
  child.on('message', (message) => {
    waiting.push(message);
    wake();
  });
  for (;;) {
    if (waiting.length > 0) yield [waiting.shift()];
    else await new Promise<void>((resolve) => (wake = resolve));
  }
}
