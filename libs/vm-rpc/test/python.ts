import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { protoc } from '../scripts/generate.ts';

/** Debian's, for whose version its python3-grpcio is built. */
const PYTHON = '/usr/bin/python3';
const REMEDY = 'apt-get install --no-install-recommends python3-grpcio python3-protobuf';

/** A Python program with gRPC's own implementation and what protoc makes of our .proto files. */
export class PythonProgram implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  readonly #folder: string;

  constructor(file: string, ...args: string[]) {
    this.#folder = mkdtempSync(join(tmpdir(), 'vm-rpc-python-'));
    protoc(`--python_out=${this.#folder}`);
    const script = fileURLToPath(new URL(`./python/${file}`, import.meta.url));
    this.#child = spawn(PYTHON, [script, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, PYTHONPATH: this.#folder, PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: '1' },
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** The next line that it prints, as JSON. */
  async next(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the Python program ended without an answer; if it has no grpc: ${REMEDY}`);
    return JSON.parse(value);
  }

  /** Has it do something, and resolves with what it prints. */
  ask(question: object): Promise<unknown> {
    this.#child.stdin.write(`${JSON.stringify(question)}\n`);
    return this.next();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL');
      await once(this.#child, 'exit');
    }
    rmSync(this.#folder, { recursive: true });
  }
}
