import { createHash } from 'node:crypto';
import { accessSync, chmodSync, fchownSync, futimesSync, mkdirSync, readSync, writeSync } from 'node:fs';
import {
  close,
  constants,
  Errno,
  errnoCode,
  fchmod,
  fchownat,
  fdatasync,
  fstat,
  fstatat,
  fsync,
  ftruncate,
  getdents64,
  getxattr,
  linkat,
  listxattr,
  lseek,
  mkdirat,
  mknodat,
  openat,
  pread,
  pwrite,
  readlinkat,
  removexattr,
  renameat2,
  STAT_WORDS,
  Stat,
  setxattr,
  symlinkat,
  truncate,
  unlinkat,
  utimensat,
} from '@vm-tools/linux';
import { octal, openFlagsText } from './flags.ts';

const { AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;
const { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } = constants;

/** A path relative to the working directory, or the bytes of one. */
export type Path = string | Uint8Array;

/** What a call answered: a name of an error, a number, or what could be seen. */
export type Answer = string | number | boolean | readonly Answer[] | { readonly [field: string]: Answer };

export interface CallRecord {
  readonly family: string;
  readonly call: string;
  readonly answer: Answer;
}

/** What records begin with that are no calls. */
export const NOTE = '-- ';

/** seconds and nanoseconds, or UTIME_NOW or UTIME_OMIT as nanoseconds. */
export type Time = readonly [seconds: number, nanoseconds: number];

const bytesOf = (path: Path): Uint8Array => (typeof path === 'string' ? Buffer.from(path) : path);

/** A path or contents in a record: printable, and short. */
export function shown(value: Path): string {
  const text = typeof value === 'string' ? value : Buffer.from(value).toString('latin1');
  const printable = text.replace(
    /[^ -~]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  return printable.length <= 60 ? printable : `${printable.slice(0, 30)}...${printable.length}`;
}

function timeText([seconds, nanoseconds]: Time): string {
  if (nanoseconds === constants.UTIME_NOW) return 'NOW';
  return nanoseconds === constants.UTIME_OMIT ? 'OMIT' : `${seconds}.${nanoseconds}`;
}

/** Makes system calls below its directory, and keeps what they answer. Errors are answers: nothing here throws. */
export class Place {
  readonly records: CallRecord[] = [];
  /** Where the directory lies. */
  readonly root: string;
  /** The same directory by another way: another mount of it. */
  readonly second: string;
  #family = '';
  readonly #stat = new Uint32Array(STAT_WORDS);
  readonly #opened = new Set<number>();

  constructor(root: string, second: string) {
    this.root = root;
    this.second = second;
  }

  /** Starts a family of calls in a new directory of its own, which becomes the working directory. */
  enter(family: string): void {
    for (const fd of this.#opened) close(fd);
    this.#opened.clear();
    this.#family = family;
    process.chdir(this.root);
    mkdirSync(family, { recursive: true });
    process.chdir(family);
  }

  /** Says in the records what the following calls are about. */
  note(text: string): void {
    this.records.push({ family: this.#family, call: `${NOTE}${text}`, answer: true });
  }

  /** Keeps an answer; a negative number is an error. */
  record<T extends Answer>(call: string, answer: T): T {
    const failed = typeof answer === 'number' && answer < 0;
    this.records.push({ family: this.#family, call, answer: failed ? errnoCode(answer) : answer });
    return answer;
  }

  /** Keeps what a call of node:fs answers. */
  attempt(call: string, run: () => unknown): number {
    try {
      const answer = (run() ?? 0) as Answer;
      this.record(call, answer);
      return typeof answer === 'number' ? answer : 0;
    } catch (error) {
      const { errno, code } = error as NodeJS.ErrnoException;
      // What Node.js refuses by itself: a descriptor that the call before did not get.
      if (errno === undefined && code !== 'ERR_OUT_OF_RANGE') throw error;
      return this.record(call, errno ?? -Errno.EBADF);
    }
  }

  // Open files

  open(path: Path, flags: number, mode = 0o644): number {
    const fd = this.openSilently(path, flags, mode);
    const text = `open(${shown(path)}, ${openFlagsText(flags)}${(flags & constants.O_CREAT) === 0 ? '' : `, ${octal(mode)}`})`;
    this.record(text, fd < 0 ? fd : 'a descriptor');
    return fd;
  }

  /** Takes a descriptor, to close it at the family's end. */
  willClose(fd: number): void {
    this.#opened.add(fd);
  }

  /** For what is only a preparation. */
  openSilently(path: Path, flags: number, mode = 0o644): number {
    const bytes = bytesOf(path);
    const fd = openat(AT_FDCWD, bytes, 0, bytes.length, flags, mode);
    if (fd >= 0) this.#opened.add(fd);
    return fd;
  }

  /** Kept only if it fails: of what could not be opened there is nothing to close. */
  close(fd: number): void {
    if (fd < 0) return;
    this.#opened.delete(fd);
    const failed = close(fd);
    if (failed < 0) this.record('close', failed);
  }

  /** read(2) at the file's offset: what was read as text, or a digest of it when it is long. */
  read(fd: number, length: number): void {
    const buffer = Buffer.alloc(length);
    this.attempt(`read(${length})`, () => digest(buffer.subarray(0, readSync(fd, buffer, 0, length, null))));
  }

  write(fd: number, data: string | Uint8Array): void {
    const bytes = bytesOf(data);
    this.attempt(`write(${shown(data)})`, () => writeSync(fd, bytes, 0, bytes.length, null));
  }

  pread(fd: number, length: number, position: number): void {
    const buffer = Buffer.alloc(length);
    const count = pread(fd, buffer, 0, length, position);
    this.record(`pread(${length}, ${position})`, count < 0 ? count : digest(buffer.subarray(0, count)));
  }

  pwrite(fd: number, data: string | Uint8Array, position: number): void {
    const bytes = bytesOf(data);
    this.record(`pwrite(${shown(data)}, ${position})`, pwrite(fd, bytes, 0, bytes.length, position));
  }

  seek(
    fd: number,
    offset: number,
    whence: 'SEEK_SET' | 'SEEK_CUR' | 'SEEK_END' | 'SEEK_DATA' | 'SEEK_HOLE',
  ): void {
    this.record(`lseek(${offset}, ${whence})`, lseek(fd, offset, constants[whence]));
  }

  ftruncate(fd: number, size: number): void {
    this.record(`ftruncate(${size})`, ftruncate(fd, size));
  }

  fsync(fd: number): void {
    this.record('fsync', fsync(fd));
  }

  fdatasync(fd: number): void {
    this.record('fdatasync', fdatasync(fd));
  }

  fchmod(fd: number, mode: number): void {
    this.record(`fchmod(${octal(mode)})`, fchmod(fd, mode));
  }

  fchown(fd: number, uid: number, gid: number): void {
    this.attempt(`fchown(${uid}, ${gid})`, () => fchownSync(fd, uid, gid));
  }

  futimes(fd: number, atime: number, mtime: number): void {
    this.attempt(`futimes(${atime}, ${mtime})`, () => futimesSync(fd, atime, mtime));
  }

  // Names

  mkdir(path: Path, mode = 0o755): void {
    const bytes = bytesOf(path);
    this.record(`mkdir(${shown(path)}, ${octal(mode)})`, mkdirat(AT_FDCWD, bytes, 0, bytes.length, mode));
  }

  rmdir(path: Path): void {
    const bytes = bytesOf(path);
    this.record(`rmdir(${shown(path)})`, unlinkat(AT_FDCWD, bytes, 0, bytes.length, AT_REMOVEDIR));
  }

  unlink(path: Path): void {
    const bytes = bytesOf(path);
    this.record(`unlink(${shown(path)})`, unlinkat(AT_FDCWD, bytes, 0, bytes.length, 0));
  }

  symlink(target: Path, path: Path): void {
    const [to, bytes] = [bytesOf(target), bytesOf(path)];
    const answer = symlinkat(to, 0, to.length, AT_FDCWD, bytes, 0, bytes.length);
    this.record(`symlink(${shown(target)}, ${shown(path)})`, answer);
  }

  readlink(path: Path, length = 8192): void {
    const [bytes, buffer] = [bytesOf(path), Buffer.alloc(length)];
    const count = readlinkat(AT_FDCWD, bytes, 0, bytes.length, buffer, 0, length);
    this.record(`readlink(${shown(path)}, ${length})`, count < 0 ? count : digest(buffer.subarray(0, count)));
  }

  link(from: Path, to: Path, flags = 0): void {
    const [a, b] = [bytesOf(from), bytesOf(to)];
    const answer = linkat(AT_FDCWD, a, 0, a.length, AT_FDCWD, b, 0, b.length, flags);
    const text = flags === 0 ? '' : ', AT_SYMLINK_FOLLOW';
    this.record(`link(${shown(from)}, ${shown(to)}${text})`, answer);
  }

  rename(
    from: Path,
    to: Path,
    flags: '' | 'RENAME_NOREPLACE' | 'RENAME_EXCHANGE' | 'RENAME_WHITEOUT' = '',
  ): void {
    const [a, b] = [bytesOf(from), bytesOf(to)];
    const bits = flags === '' ? 0 : constants[flags];
    const answer = renameat2(AT_FDCWD, a, 0, a.length, AT_FDCWD, b, 0, b.length, bits);
    this.record(`rename(${shown(from)}, ${shown(to)}${flags && `, ${flags}`})`, answer);
  }

  mknod(path: Path, mode: number, major = 0, minor = 0): void {
    const bytes = bytesOf(path);
    const answer = mknodat(AT_FDCWD, bytes, 0, bytes.length, mode, major, minor);
    this.record(`mknod(${shown(path)}, ${octal(mode)}, ${major}:${minor})`, answer);
  }

  // Attributes

  chmod(path: Path, mode: number): void {
    this.attempt(`chmod(${shown(path)}, ${octal(mode)})`, () => chmodSync(Buffer.from(bytesOf(path)), mode));
  }

  /** By the real uid; bits of access(2). */
  access(path: string, right: number): void {
    this.attempt(`access(${shown(path)}, ${right})`, () => accessSync(path, right));
  }

  chown(path: Path, uid: number, gid: number, follow = true): void {
    const bytes = bytesOf(path);
    const flags = follow ? 0 : AT_SYMLINK_NOFOLLOW;
    const answer = fchownat(AT_FDCWD, bytes, 0, bytes.length, uid, gid, flags);
    this.record(`${follow ? 'chown' : 'lchown'}(${shown(path)}, ${uid}, ${gid})`, answer);
  }

  truncate(path: string, size: number): void {
    this.record(`truncate(${shown(path)}, ${size})`, truncate(path, size));
  }

  utimens(path: Path, atime: Time, mtime: Time, follow = true): void {
    const bytes = bytesOf(path);
    const flags = follow ? 0 : AT_SYMLINK_NOFOLLOW;
    const answer = utimensat(AT_FDCWD, bytes, 0, bytes.length, ...atime, ...mtime, flags);
    const text = `${timeText(atime)}, ${timeText(mtime)}${follow ? '' : ', NOFOLLOW'}`;
    this.record(`utimensat(${shown(path)}, ${text})`, answer);
  }

  setxattr(path: string, name: string, value: Uint8Array | string, flags = 0): void {
    const [key, bytes] = [Buffer.from(name), bytesOf(value)];
    const answer = setxattr(path, key, 0, key.length, bytes, 0, bytes.length, flags);
    const how = ['', ', XATTR_CREATE', ', XATTR_REPLACE', ', XATTR_CREATE|XATTR_REPLACE'][flags];
    this.record(`setxattr(${path}, ${shown(name)}, ${shown(value)}${how})`, answer);
  }

  getxattr(path: string, name: string, room = 65_536): void {
    const [key, buffer] = [Buffer.from(name), Buffer.alloc(room)];
    const count = getxattr(path, key, 0, key.length, buffer);
    const answer = count < 0 || room === 0 ? count : digest(buffer.subarray(0, count));
    this.record(`getxattr(${path}, ${shown(name)}, ${room})`, answer);
  }

  removexattr(path: string, name: string): void {
    const key = Buffer.from(name);
    this.record(`removexattr(${path}, ${shown(name)})`, removexattr(path, key, 0, key.length));
  }

  listxattr(path: string, room = 65_536): void {
    const buffer = Buffer.alloc(room);
    const count = listxattr(path, buffer);
    const names = buffer.toString('latin1', 0, Math.max(count, 0)).split('\0').slice(0, -1).map(shown).sort();
    this.record(`listxattr(${path}, ${room})`, count < 0 || room === 0 ? count : names);
  }

  // What can be seen afterwards

  stat(path: Path): void {
    const bytes = bytesOf(path);
    const failed = fstatat(AT_FDCWD, bytes, 0, bytes.length, 0, this.#stat);
    this.record(`stat(${shown(path)})`, failed < 0 ? failed : this.#attributes());
  }

  lstat(path: Path): void {
    const bytes = bytesOf(path);
    const failed = fstatat(AT_FDCWD, bytes, 0, bytes.length, AT_SYMLINK_NOFOLLOW, this.#stat);
    this.record(`lstat(${shown(path)})`, failed < 0 ? failed : this.#attributes());
  }

  fstat(fd: number): void {
    const failed = fstat(fd, this.#stat);
    this.record('fstat', failed < 0 ? failed : this.#attributes());
  }

  /** Of access and of modification, as they are. */
  times(path: Path): void {
    const bytes = bytesOf(path);
    const failed = fstatat(AT_FDCWD, bytes, 0, bytes.length, AT_SYMLINK_NOFOLLOW, this.#stat);
    const [atime = '', mtime = ''] = this.#times();
    this.record(`times(${shown(path)})`, failed < 0 ? failed : { atime, mtime });
  }

  /** Which times of a file a call changes. Clocks tick every 4 ms: before and after the call some pass. */
  changesTimes(path: Path, what: string, run: () => void): void {
    const bytes = bytesOf(path);
    const look = () => {
      const failed = fstatat(AT_FDCWD, bytes, 0, bytes.length, AT_SYMLINK_NOFOLLOW, this.#stat);
      return failed < 0 ? [String(failed)] : this.#times();
    };
    const before = look();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    run();
    const after = look();
    const changed = ['atime', 'mtime', 'ctime'].filter((_, index) => before[index] !== after[index]);
    this.record(`times of ${shown(path)} changed by ${what}`, changed);
  }

  /** lstat, and by kind: contents, target or listing. */
  look(path: Path): void {
    const bytes = bytesOf(path);
    const failed = fstatat(AT_FDCWD, bytes, 0, bytes.length, AT_SYMLINK_NOFOLLOW, this.#stat);
    if (failed < 0) {
      this.record(`look(${shown(path)})`, failed);
      return;
    }
    const kind = (this.#stat[Stat.mode] as number) & S_IFMT;
    const attributes = this.#attributes();
    const contents =
      kind === S_IFREG
        ? { contents: this.#contents(bytes) }
        : kind === S_IFDIR
          ? { entries: this.#entries(bytes) }
          : kind === S_IFLNK
            ? { target: this.#target(bytes) }
            : {};
    this.record(`look(${shown(path)})`, { ...attributes, ...contents });
  }

  /** Whether two paths lead to one file, as far as device and inode number tell. */
  isSame(a: Path, b: Path): void {
    const identity = (path: Path) => {
      const bytes = bytesOf(path);
      const failed = fstatat(AT_FDCWD, bytes, 0, bytes.length, AT_SYMLINK_NOFOLLOW, this.#stat);
      return failed < 0 ? failed : `${this.#wide(Stat.dev)}:${this.#wide(Stat.ino)}`;
    };
    this.record(`${shown(a)} is the very ${shown(b)}`, identity(a) === identity(b));
  }

  /** The names in a directory, sorted, with their kinds. */
  list(path: Path): void {
    this.record(`readdir(${shown(path)})`, this.#entries(bytesOf(path)));
  }

  #wide(index: number): bigint {
    return (BigInt(this.#stat[index + 1] as number) << 32n) | BigInt(this.#stat[index] as number);
  }

  #times(): string[] {
    return [
      [Stat.atimeSec, Stat.atimeNsec],
      [Stat.mtimeSec, Stat.mtimeNsec],
      [Stat.ctimeSec, Stat.ctimeNsec],
    ].map(([seconds = 0, nanoseconds = 0]) => {
      return `${BigInt.asIntN(64, this.#wide(seconds))}.${this.#wide(nanoseconds)}`;
    });
  }

  #attributes(): Record<string, Answer> {
    const mode = this.#stat[Stat.mode] as number;
    const kind = mode & S_IFMT;
    return {
      mode: octal(mode),
      nlink: Number(this.#wide(Stat.nlink)),
      uid: Number(this.#wide(Stat.uid)),
      gid: Number(this.#wide(Stat.gid)),
      ...(kind === S_IFCHR || kind === S_IFBLK ? { rdev: Number(this.#wide(Stat.rdev)) } : {}),
      size: Number(this.#wide(Stat.size)),
      blocks: Number(this.#wide(Stat.blocks)),
      blockSize: Number(this.#wide(Stat.blksize)),
    };
  }

  #contents(path: Uint8Array): string {
    const fd = openat(AT_FDCWD, path, 0, path.length, O_RDONLY | O_NOFOLLOW, 0);
    if (fd < 0) return errnoCode(fd);
    const size = Number(this.#wide(Stat.size));
    // More than it says it has would be seen too.
    const buffer = Buffer.alloc(Math.min(size, 1 << 22) + 1);
    let length = 0;
    for (let count = 1; count > 0 && length < buffer.length; length += Math.max(count, 0)) {
      count = pread(fd, buffer, length, buffer.length - length, length);
      if (count < 0) {
        close(fd);
        return errnoCode(count);
      }
    }
    close(fd);
    return digest(buffer.subarray(0, length));
  }

  #target(path: Uint8Array): string {
    const buffer = Buffer.alloc(8192);
    const count = readlinkat(AT_FDCWD, path, 0, path.length, buffer, 0, buffer.length);
    return count < 0 ? errnoCode(count) : digest(buffer.subarray(0, count));
  }

  #entries(path: Uint8Array): Answer {
    const fd = openat(AT_FDCWD, path, 0, path.length, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) return errnoCode(fd);
    const buffer = Buffer.alloc(32_768);
    const entries: string[] = [];
    for (;;) {
      const count = getdents64(fd, buffer, 0, buffer.length);
      if (count <= 0) {
        close(fd);
        return count < 0
          ? errnoCode(count)
          : entries.length > 50
            ? digest(Buffer.from(entries.sort().join()))
            : entries.sort();
      }
      for (let at = 0; at < count; at += buffer.readUInt16LE(at + 16)) entries.push(entryText(buffer, at));
    }
  }
}

/** One linux_dirent64 (getdents64(2)): name and kind. */
function entryText(buffer: Buffer, at: number): string {
  const end = buffer.indexOf(0, at + 19);
  const kinds: Readonly<Record<number, string>> = {
    1: '|',
    2: ' c',
    4: '/',
    6: ' b',
    8: '',
    10: '@',
    12: '=',
  };
  return `${shown(buffer.subarray(at + 19, end))}${kinds[buffer.readUInt8(at + 18)] ?? '?'}`;
}

function digest(bytes: Uint8Array): string {
  if (bytes.length <= 60) return shown(bytes);
  return `${bytes.length} bytes ${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`;
}
