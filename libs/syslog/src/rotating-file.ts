import { fdatasync as fdatasyncInBackground } from 'node:fs';
import { basename, dirname } from 'node:path';
import {
  check,
  close,
  constants,
  Errno,
  fdatasync,
  fstat,
  ftruncate,
  keptOpen,
  STAT_WORDS,
  Stat,
  SystemError,
  write,
} from '@vm-tools/linux';
import { OldFiles } from './old-files.ts';

/** When what was written is forced to the disk, so that it outlives a loss of power. What a process has written outlives the process anyway. */
export type SyncPolicy = 'never' | 'always' | { readonly everyMs: number };

export interface RotatingFileOptions {
  /** A file that would get larger is rotated first. Default 16 MiB. */
  readonly maxBytes?: number;
  /** A file of another day than today's (local time) is rotated before more is written. Default true. */
  readonly daily?: boolean;
  /** How many files are kept besides the one that is written, `NAME.1` (the newest) and so on. Default 5. */
  readonly kept?: number;
  /** These become `NAME.1.gz` and so on, in the background. Default false. */
  readonly gzip?: boolean;
  /** Default `never`: the kernel writes within its time, half a minute or so. */
  readonly sync?: SyncPolicy;
  /** Of new files; the process's umask holds too. Default 0640. */
  readonly mode?: number;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
  /** Called before the file that `ino` names becomes another one. */
  readonly onBeforeRotate?: () => void;
  /** What fails in the background: to compress, to force to the disk. The file is written all the same. Default: nothing. */
  readonly onError?: (error: unknown) => void;
}

/**
 * A file to append to, which becomes `NAME.1` when it is too large or of another day, and the one before `NAME.2`, and so on.
 *
 * It is one process's: nobody else may append to it. Its calls block, for as long as the page cache takes, but for `sync: 'always'`.
 */
export class RotatingFile implements AsyncDisposable {
  readonly path: string;
  readonly #options: RotatingFileOptions;
  readonly #maxBytes: number;
  readonly #stat = new Uint32Array(STAT_WORDS);
  #directory = -1;
  #fd = -1;
  #old: OldFiles | undefined;
  #ino = 0;
  #size = 0;
  #dayEnds = 0;
  #syncTimer: NodeJS.Timeout | undefined;
  /** What has been written since the disk had everything. */
  #isDirty = false;
  /** Descriptors that a thread of the pool works on, and what to do with them afterwards. */
  #syncing: { readonly fd: number; isLeft: boolean } | undefined;
  readonly #closings: Promise<void>[] = [];

  /**
   * @param path its directory must be there. The last component may not be a symbolic link, nor anything but a file
   * @throws SystemError
   */
  constructor(path: string, options: RotatingFileOptions = {}) {
    this.path = path;
    this.#options = options;
    this.#maxBytes = options.maxBytes ?? 16 << 20;
    this.#open();
  }

  /** The inode that is written. */
  get ino(): number {
    return this.#ino;
  }

  /** How large that is. */
  get size(): number {
    return this.#size;
  }

  /**
   * Appends all of it, or nothing and throws. Rotates before if that is due.
   * @throws SystemError, ENOSPC when the disk is full: what was written in part has been cut off
   */
  append(bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    this.rotateIfDue(end - start);
    this.write(bytes, start, end);
  }

  /** As `append`, to the file that `ino` and `size` tell of: for who has asked `rotateIfDue` before. @throws SystemError as `append` */
  write(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; ) {
      const written = write(this.#fd, bytes, at, end - at);
      if (written < 0) this.#takeBack(written, 'write');
      at += written;
    }
    if (this.#options.sync === 'always') {
      const result = fdatasync(this.#fd);
      if (result < 0) this.#takeBack(result, 'fdatasync');
    }
    this.#size += end - start;
    this.#syncLater();
  }

  /** Cuts off what is behind that many bytes. @throws SystemError */
  truncate(size: number): void {
    check(ftruncate(this.#fd, size), 'ftruncate', { path: this.path });
    this.#size = size;
  }

  /** Rotates if a file with so many bytes more would be too large, or is of another day. An empty file never is. @throws SystemError */
  rotateIfDue(length: number): void {
    if (this.#fd < 0) this.#open();
    const isLate = this.#options.daily !== false && this.#now() >= this.#dayEnds;
    if (this.#size > 0 && (isLate || this.#size + length > this.#maxBytes)) this.rotate();
    else if (isLate) this.#dayEnds = endOfDay(this.#now());
  }

  /** @throws SystemError; the next `append` tries again */
  rotate(): void {
    if (this.#fd < 0) this.#open();
    this.#options.onBeforeRotate?.();
    (this.#old as OldFiles).shift();
    this.#leave();
    this.#open();
    if (this.#options.gzip) this.#old?.compress();
  }

  /** Opens what has this name now, in the directory that has its name now: for who has renamed them (SIGHUP). @throws SystemError */
  reopen(): void {
    this.#options.onBeforeRotate?.();
    this.#leave();
    this.#leaveDirectory();
    this.#open();
  }

  /** Resolves when nothing is under way in the background any more. Compression that is has to be begun anew, by the next rotation. */
  async close(): Promise<void> {
    this.#leave();
    this.#leaveDirectory();
    await Promise.all(this.#closings);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #open(): void {
    const { O_APPEND, O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_WRONLY } = constants;
    if (this.#directory < 0) {
      this.#directory = keptOpen(dirname(this.path), O_PATH | O_DIRECTORY);
      const { kept = 5, onError = () => undefined } = this.#options;
      this.#old = new OldFiles(this.#directory, basename(this.path), kept, onError);
    }
    // Without O_NONBLOCK a FIFO that someone has put there would wait for a reader.
    const flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
    const path = `/proc/self/fd/${this.#directory}/${basename(this.path)}`;
    try {
      const fd = keptOpen(path, flags, this.#options.mode ?? 0o640);
      try {
        this.#look(fd);
      } catch (error) {
        close(fd);
        throw error;
      }
      this.#fd = fd;
    } catch (error) {
      const { errno, syscall } = error as SystemError;
      throw errno === undefined ? error : new SystemError(errno, syscall, { path: this.path });
    }
  }

  /** Takes what is to be known of a file that has just been opened. */
  #look(fd: number): void {
    const stat = this.#stat;
    const word = (index: number) => (stat[index] as number) + (stat[index + 1] as number) * 2 ** 32;
    check(fstat(fd, stat), 'fstat');
    if ((word(Stat.mode) & constants.S_IFMT) !== constants.S_IFREG)
      throw new SystemError(Errno.EINVAL, 'open');
    this.#ino = word(Stat.ino);
    this.#size = word(Stat.size);
    this.#dayEnds = endOfDay(this.#size > 0 ? word(Stat.mtimeSec) * 1000 : this.#now());
  }

  /** Closes the file: at once, or when the thread that forces it to the disk has done so. */
  #leave(): void {
    clearTimeout(this.#syncTimer);
    this.#syncTimer = undefined;
    if (this.#fd < 0) return;
    if (this.#isDirty) fdatasync(this.#fd);
    this.#isDirty = false;
    if (this.#syncing?.fd === this.#fd) this.#syncing.isLeft = true;
    else close(this.#fd);
    this.#fd = -1;
  }

  #leaveDirectory(): void {
    const directory = this.#directory;
    if (directory < 0) return;
    this.#closings.push((this.#old as OldFiles).close().finally(() => close(directory)));
    this.#directory = -1;
    this.#old = undefined;
  }

  #takeBack(errno: number, syscall: string): never {
    ftruncate(this.#fd, this.#size);
    throw new SystemError(errno, syscall, { path: this.path });
  }

  #syncLater(): void {
    const { sync } = this.#options;
    if (typeof sync !== 'object') return;
    this.#isDirty = true;
    this.#syncTimer ??= setTimeout(() => {
      this.#syncTimer = undefined;
      this.#syncInBackground();
    }, sync.everyMs);
  }

  #syncInBackground(): void {
    // A disk that is slower than the interval has one wish at a time.
    if (this.#syncing) return;
    const syncing = { fd: this.#fd, isLeft: false };
    this.#syncing = syncing;
    this.#isDirty = false;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closings.push(promise);
    fdatasyncInBackground(syncing.fd, (error) => {
      this.#syncing = undefined;
      if (syncing.isLeft) close(syncing.fd);
      if (this.#isDirty) this.#syncLater();
      if (error) this.#options.onError?.(error);
      this.#closings.splice(this.#closings.indexOf(promise), 1);
      resolve();
    });
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
}

/** The next midnight, local time. */
function endOfDay(milliseconds: number): number {
  const date = new Date(milliseconds);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + 1).getTime();
}
