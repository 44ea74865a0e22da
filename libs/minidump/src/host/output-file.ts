import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { CommandError, Exit } from './command.ts';

/** The file of the minidump, made when there is something to put into it, for nobody else to read. */
export class OutputFile {
  readonly #path: string | undefined;
  #fd: number | undefined;

  constructor(path: string | undefined) {
    this.#path = path;
  }

  write(chunk: Uint8Array): void {
    if (this.#fd === undefined) {
      this.#fd = this.#path === undefined ? 1 : create(this.#path);
    }
    for (let at = 0; at < chunk.length; ) at += writeSync(this.#fd, chunk, at);
  }

  /** What is not whole must not be taken for a minidump. */
  discard(): void {
    if (this.#path !== undefined && this.#fd !== undefined) rmSync(this.#path, { force: true });
  }

  close(): void {
    if (this.#fd !== undefined && this.#fd !== 1) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function create(path: string): number {
  try {
    return openSync(path, 'w', 0o600);
  } catch (error) {
    throw new CommandError((error as Error).message, { exitCode: Exit.cannotCreate, cause: error });
  }
}
