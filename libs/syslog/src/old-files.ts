import { constants as fsConstants, readdirSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { check, renameat2, unlinkat } from '@vm-tools/linux';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = fsConstants;

interface OldFile {
  readonly name: string;
  readonly index: number;
  readonly isCompressed: boolean;
}

/** The files that a log was before: `NAME.1` is the newest, `NAME.2.gz` an older one that has been compressed. */
export class OldFiles {
  readonly #directory: number;
  readonly #name: string;
  readonly #kept: number;
  readonly #onError: (error: unknown) => void;
  readonly #abort = new AbortController();
  /** The one that is being compressed; rotation changes its number meanwhile, or takes it away (undefined). */
  #index: number | undefined;
  #compressing: Promise<void> | undefined;

  /** @param directory a descriptor, which stays the caller's and open until `close` has resolved */
  constructor(directory: number, name: string, kept: number, onError: (error: unknown) => void) {
    this.#directory = directory;
    this.#name = name;
    this.#kept = kept;
    this.#onError = onError;
    // Of a process that was killed.
    this.#remove(this.#temporary);
  }

  /** Makes room for the log as number 1: each number grows by one, and those that are too high already go. @throws SystemError */
  shift(): void {
    for (const { name, index, isCompressed } of this.#list().sort((a, b) => b.index - a.index)) {
      if (index >= this.#kept) this.#remove(name);
      else this.#rename(name, this.#nameOf(index + 1, isCompressed));
    }
    if (this.#index !== undefined) this.#index = this.#index >= this.#kept ? undefined : this.#index + 1;
    if (this.#kept === 0) this.#remove(this.#name);
    else this.#rename(this.#name, this.#nameOf(1, false));
  }

  /** Compresses what is not yet, one file after the other, in the background. */
  compress(): void {
    this.#compressing ??= this.#compressAll()
      .catch((error: unknown) => {
        if (!this.#abort.signal.aborted) this.#onError(error);
      })
      .finally(() => {
        this.#compressing = undefined;
      });
  }

  /** Leaves off compressing. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.#compressing;
  }

  async #compressAll(): Promise<void> {
    for (;;) {
      const plain = this.#list().filter(({ isCompressed }) => !isCompressed);
      const oldest = plain.sort((a, b) => b.index - a.index)[0];
      if (!oldest) return;
      this.#index = oldest.index;
      try {
        await this.#compressOne(oldest.name);
      } finally {
        this.#index = undefined;
      }
    }
  }

  /** A reader finds either the one file or the other, and never half of one. */
  async #compressOne(name: string): Promise<void> {
    const path = (of: string) => `/proc/self/fd/${this.#directory}/${of}`;
    let source: FileHandle | undefined;
    let target: FileHandle | undefined;
    try {
      source = await open(path(name), O_RDONLY | O_NOFOLLOW);
      const { mode } = await source.stat();
      target = await open(path(this.#temporary), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode & 0o777);
      const { signal } = this.#abort;
      // A source that is removed must be on the disk in its new form.
      const out = target.createWriteStream({ flush: true });
      await pipeline(source.createReadStream(), createGzip(), out, { signal });
      // Whoever removes or renames what is left does it between these two lines or not at all: neither waits.
      if (this.#index === undefined || signal.aborted) return;
      this.#rename(this.#temporary, this.#nameOf(this.#index, true));
      this.#remove(this.#nameOf(this.#index, false));
    } finally {
      await source?.close();
      await target?.close();
      this.#remove(this.#temporary);
    }
  }

  get #temporary(): string {
    return `${this.#name}.gz.tmp`;
  }

  #nameOf(index: number, isCompressed: boolean): string {
    return `${this.#name}.${index}${isCompressed ? '.gz' : ''}`;
  }

  #list(): OldFile[] {
    const prefix = `${this.#name}.`;
    return readdirSync(`/proc/self/fd/${this.#directory}`).flatMap((name) => {
      const [, index, suffix] = /^([1-9][0-9]{0,8})(\.gz)?$/.exec(name.slice(prefix.length)) ?? [];
      if (!name.startsWith(prefix) || index === undefined) return [];
      return [{ name, index: Number(index), isCompressed: suffix !== undefined }];
    });
  }

  #rename(from: string, to: string): void {
    const [a, b] = [Buffer.from(from), Buffer.from(to)];
    const result = renameat2(this.#directory, a, 0, a.length, this.#directory, b, 0, b.length, 0);
    check(result, 'renameat2', { path: from });
  }

  /** What cannot be removed stays, and is found again by the next rotation. */
  #remove(name: string): void {
    const bytes = Buffer.from(name);
    unlinkat(this.#directory, bytes, 0, bytes.length, 0);
  }
}
