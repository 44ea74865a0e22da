import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { errnoCode } from '@vm-tools/linux';
import type { Place } from './place.ts';

/** A process (process.c) whose calls are recorded at a place, in whose working directory it starts. */
export class OtherProcess {
  readonly #place: Place;
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(place: Place, name: string, directory = process.cwd()) {
    this.#place = place;
    this.#name = name;
    this.#child = spawn('/opt/calls/process', { cwd: directory, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream })[
      Symbol.asyncIterator
    ]();
  }

  /** Makes a call and keeps its answer. Resolves with that, -1 for an error. */
  async call(command: string, ...words: (string | number)[]): Promise<number> {
    const line = await this.#ask(command, words);
    const result = Number(line);
    const isNumber = line !== '' && Number.isInteger(result);
    // Mappings are shown in hexadecimal, which may consist of digits alone.
    const answer = command === 'peek' || !isNumber ? line : result < 0 ? errnoCode(result) : result;
    const shown = command === 'open' ? 'a descriptor' : answer;
    this.#place.record([`${this.#name}: ${command}`, ...words].join(' '), result < 0 ? answer : shown);
    return isNumber ? Math.max(result, -1) : 0;
  }

  /** Makes a call of which only what follows from it is of interest. */
  async silently(command: string, ...words: (string | number)[]): Promise<string> {
    return await this.#ask(command, words);
  }

  async end(): Promise<void> {
    const ended = once(this.#child, 'close');
    this.#child.stdin?.end();
    await ended;
  }

  /** Ends it as a crash does: what it held goes with it. */
  async kill(): Promise<void> {
    const ended = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await ended;
    this.#place.note(`${this.#name} is killed`);
  }

  async #ask(command: string, words: readonly (string | number)[]): Promise<string> {
    this.#child.stdin?.write(`${[command, ...words].join(' ')}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.#name} ended at ${command} ${words.join(' ')}`);
    return value.trimEnd();
  }
}
