import { Errno } from '../errno.ts';
import { Name } from '../name.ts';
import { DirectoryEntries } from '../server/directory-entries.ts';
import { DirectoryReader } from './host-directory.ts';
import { close, constants, fstatat, reopen, STAT_WORDS } from './linux.ts';

const NOTHING = new DataView(new ArrayBuffer(0));

/** Finds names whatever the case of their ASCII letters: what is not there as it is asked for is looked for in the whole directory. */
export class CaseFolding {
  readonly #reader = new DirectoryReader();
  readonly #stat = new Uint32Array(STAT_WORDS);

  /** The name that a directory has for `name`: that one if it is there or nothing like it is; of several others the first by its bytes. */
  find(directory: number, name: Name): Name {
    const { bytes, start, length } = name;
    const found = fstatat(directory, bytes, start, length, constants.AT_SYMLINK_NOFOLLOW, this.#stat);
    if (found !== -Errno.ENOENT) return name;
    const fd = reopen(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    if (fd < 0) return name;
    const match = new Match(name);
    this.#reader.read(fd, 0n, 0n, match, 0);
    close(fd);
    return match.best ?? name;
  }
}

/** Takes the entries of a directory, and keeps the one that is looked for. */
class Match extends DirectoryEntries {
  readonly #name: Name;
  best: Name | undefined;

  constructor(name: Name) {
    super(new Uint8Array(NOTHING.buffer), NOTHING);
    this.#name = name;
  }

  override get room(): number {
    return Number.MAX_SAFE_INTEGER;
  }

  override addRaw(source: Uint8Array, start: number, length: number): boolean {
    const { bytes, start: at, length: wanted } = this.#name;
    if (length !== wanted) return true;
    for (let i = 0; i < length; i++) {
      if (folded(source[start + i] as number) !== folded(bytes[at + i] as number)) return true;
    }
    const entry = source.slice(start, start + length);
    if (this.best === undefined || Buffer.compare(entry, this.best.bytes) < 0) this.best = new Name(entry);
    return true;
  }
}

function folded(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}
