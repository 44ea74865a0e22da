import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { join } from 'node:path';
import type { ReadAt } from '../core/reading.ts';

/** The bytes of a file; undefined when it cannot be read. */
export function tryRead(path: string): Buffer | undefined {
  return attempt(() => readFileSync(path));
}

export function tryReadlink(path: string): string | undefined {
  return attempt(() => readlinkSync(path));
}

/** What is in a directory, as names that are numbers; nothing when it cannot be read. */
export function numbersIn(directory: string, most: number): number[] {
  const names = attempt(() => readdirSync(directory)) ?? [];
  return names
    .map(Number)
    .filter(Number.isInteger)
    .sort((a, b) => a - b)
    .slice(0, most);
}

/** A value, or undefined where getting it failed: processes go away while they are looked at. */
export function attempt<T>(get: () => T): T | undefined {
  try {
    return get();
  } catch {
    return undefined;
  }
}

/** A regular file that is open to be read anywhere. */
export class OpenedFile implements Disposable {
  readonly fd: number;
  readonly device: number;
  readonly inode: number;

  constructor(fd: number, { dev, ino }: { dev: number; ino: number }) {
    this.fd = fd;
    this.device = dev;
    this.inode = ino;
  }

  /** Opens without waiting, whatever it is; what is no regular file is left alone. */
  static open(path: string): OpenedFile | undefined {
    const fd = attempt(() => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY));
    if (fd === undefined) return undefined;
    const stat = attempt(() => fstatSync(fd));
    if (stat?.isFile()) return new OpenedFile(fd, stat);
    closeSync(fd);
    return undefined;
  }

  get readAt(): ReadAt {
    return (offset, size) => readFully(this.fd, offset, size);
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}

/** Bytes of a file: fewer where it ends, or cannot be read. */
export function readFully(fd: number, offset: number | bigint, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let filled = 0;
  while (filled < size) {
    const position = typeof offset === 'bigint' ? offset + BigInt(filled) : offset + filled;
    const read = attempt(() => readSync(fd, bytes, filled, size - filled, position)) ?? 0;
    if (read === 0) break;
    filled += read;
  }
  return bytes.subarray(0, filled);
}

/** The first of some files that can be read. */
export function firstOf(directory: string, names: readonly string[]): Buffer | undefined {
  for (const name of names) {
    const bytes = tryRead(join(directory, name));
    if (bytes) return bytes;
  }
  return undefined;
}
