import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';

const PATIENT = { timeout: 90_000, interval: 10 };
const source = (name: string) => fileURLToPath(new URL(`../src/${name}.ts`, import.meta.url));

/** One of the two daemons, as a process of its own. */
export class Daemon implements AsyncDisposable {
  readonly child: ChildProcess;
  /** Its exit code; null: a signal ended it. */
  readonly ended: Promise<number | null>;
  output = '';

  constructor(
    name: 'vm-syslog' | 'vmlog-forwarder',
    args: readonly string[],
    { env = {}, wrapper = [] }: { env?: NodeJS.ProcessEnv; wrapper?: readonly string[] } = {},
  ) {
    const [command, ...rest] = [
      ...wrapper,
      ...[process.execPath, '--conditions=@vm-tools/source', '--disable-warning=ExperimentalWarning'],
      ...[source(name), ...args],
    ];
    this.child = spawn(command as string, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    this.ended = new Promise((resolve) => this.child.on('close', resolve));
  }

  /** Resolves when it has logged that text. */
  async logged(text: string): Promise<this> {
    const gone = this.ended.then((code) => Promise.reject(new Error(`ended with ${code}: ${this.output}`)));
    await Promise.race([vi.waitUntil(() => this.output.includes(text), PATIENT), gone]);
    return this;
  }

  /** @returns its exit code */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
  }
}
