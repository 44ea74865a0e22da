import { crc32 } from 'node:zlib';
import {
  check,
  close,
  constants,
  Errno,
  fdatasync,
  keptOpen,
  ofdSetLock,
  pread,
  pwrite,
  SystemError,
} from '@vm-tools/linux';

// "VMLOGBJ1"; then a slot for each stream: u32 CRC-32 of all that follows, u16 bytes of the stream's name, u16 nothing, u64 number of its last batch,
// u64 inode (0: the batch is whole), u64 offset and u64 bytes of that batch in the file, u64 when the slot was last written; the name. Little endian.
const MAGIC = Buffer.from('VMLOGBJ1');
const SLOT = 128;
const HEADER = SLOT;
const CRC_FROM = 4;
const NAME_LENGTH = 4;
const NUMBER = 8;
const INODE = 16;
const OFFSET = 24;
const LENGTH = 32;
const AGE = 40;
const NAME = 48;

/** Streams that are remembered: a guest has few at a time, and new ones with each start. */
const STREAMS = 64;
/** Bytes that the name of a stream may have. */
export const LONGEST_STREAM = SLOT - NAME;

/** Where a batch is put. */
export interface Place {
  readonly ino: number;
  readonly size: number;
}

interface Slot {
  readonly index: number;
  stream: string;
  number: bigint;
  ino: number;
  offset: number;
  length: number;
  age: number;
}

/** Who keeps a journal already. */
export class JournalInUseError extends Error {
  override readonly name = 'JournalInUseError';
  readonly code = 'ERR_JOURNAL_IN_USE';
}

/**
 * Which batches stand in a file, so that one that is sent again is known, and none stays half-written: whatever moment the process is killed at.
 *
 * Before a batch is appended `begin` notes where. A process that finds such a note compares it with the file: all of the batch is there, or what there
 * is of it is cut off and the batch is new.
 */
export class BatchJournal implements Disposable {
  readonly #fd: number;
  readonly #path: string;
  readonly #isSynced: boolean;
  readonly #buffer = Buffer.alloc(HEADER + STREAMS * SLOT);
  readonly #slots: Slot[] = [];
  readonly #byStream = new Map<string, Slot>();
  #age = 0;

  /**
   * @param isSynced force notes to the disk, before `begin` returns
   * @throws JournalInUseError; SystemError
   */
  constructor(path: string, { isSynced = false }: { readonly isSynced?: boolean } = {}) {
    const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR, F_WRLCK } = constants;
    this.#path = path;
    this.#isSynced = isSynced;
    this.#fd = keptOpen(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
    try {
      const locked = ofdSetLock(this.#fd, F_WRLCK, 0, 0);
      if (locked === -Errno.EAGAIN || locked === -Errno.EACCES) {
        throw new JournalInUseError(
          `${path} is another process's: stop that, or give each a directory of its own`,
        );
      }
      check(locked, 'fcntl', { path });
      this.#read();
    } catch (error) {
      close(this.#fd);
      throw error;
    }
  }

  /** Whether this batch stands in the file already. */
  has(stream: string, number: bigint): boolean {
    const slot = this.#byStream.get(stream);
    return slot !== undefined && number <= slot.number;
  }

  /**
   * For a process that has just opened the file: cuts off half a batch, and settles what an earlier process has noted.
   * @throws SystemError
   */
  recover(file: Place & { truncate(size: number): void }): void {
    for (const slot of this.#slots) {
      if (slot.ino !== file.ino || file.size >= slot.offset + slot.length) continue;
      slot.number--;
      // Before anything is settled: whoever kills this process leaves the next one the same to do.
      if (file.size > slot.offset) file.truncate(slot.offset);
    }
    this.settle();
  }

  /** Notes that a batch will be appended there. @throws SystemError */
  begin(stream: string, number: bigint, place: Place, length: number): void {
    const slot = this.#byStream.get(stream) ?? this.#oldest();
    const before = { ...slot };
    Object.assign(slot, { stream, number, ino: place.ino, offset: place.size, length, age: ++this.#age });
    try {
      this.#write(slot);
    } catch (error) {
      Object.assign(slot, before);
      throw error;
    }
    this.#byStream.delete(before.stream);
    this.#byStream.set(stream, slot);
  }

  /** Notes that it was not appended after all, nor anything of it. */
  takeBack(stream: string): void {
    const slot = this.#byStream.get(stream);
    if (!slot) return;
    slot.number--;
    slot.ino = 0;
    this.#write(slot);
  }

  /** Notes that all batches are whole: the file is about to become another one. @throws SystemError */
  settle(): void {
    for (const slot of this.#slots) {
      if (slot.ino === 0) continue;
      slot.ino = 0;
      this.#write(slot);
    }
  }

  /** Lets others have it. */
  close(): void {
    close(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #read(): void {
    const buffer = this.#buffer;
    const got = check(pread(this.#fd, buffer, 0, buffer.length, 0), 'pread', { path: this.#path });
    if (got < buffer.length || !buffer.subarray(0, MAGIC.length).equals(MAGIC)) {
      buffer.fill(0);
      buffer.set(MAGIC);
      // All of it at once: later notes need no room on the disk.
      this.#pwrite(0, buffer.length);
    }
    for (let index = 0; index < STREAMS; index++) {
      const slot = decode(buffer, index);
      this.#slots.push(slot);
      if (slot.stream !== '') this.#byStream.set(slot.stream, slot);
      this.#age = Math.max(this.#age, slot.age);
    }
  }

  /** The slot that was not used for longest. */
  #oldest(): Slot {
    return this.#slots.reduce((oldest, each) => (each.age < oldest.age ? each : oldest));
  }

  #write(slot: Slot): void {
    const at = encode(slot, this.#buffer);
    this.#pwrite(at, SLOT);
    if (this.#isSynced) check(fdatasync(this.#fd), 'fdatasync', { path: this.#path });
  }

  #pwrite(at: number, length: number): void {
    const written = check(pwrite(this.#fd, this.#buffer, at, length, at), 'pwrite', { path: this.#path });
    if (written < length) throw new SystemError(Errno.ENOSPC, 'pwrite', { path: this.#path });
  }
}

/** @returns where the slot begins */
function encode(slot: Slot, buffer: Buffer): number {
  const at = HEADER + slot.index * SLOT;
  const bytes = buffer.subarray(at, at + SLOT);
  bytes.fill(0);
  bytes.writeUInt16LE(bytes.write(slot.stream, NAME), NAME_LENGTH);
  bytes.writeBigUInt64LE(slot.number, NUMBER);
  for (const [offset, value] of [
    [INODE, slot.ino],
    [OFFSET, slot.offset],
    [LENGTH, slot.length],
    [AGE, slot.age],
  ] as const) {
    bytes.writeBigUInt64LE(BigInt(value), offset);
  }
  bytes.writeUInt32LE(crc32(bytes.subarray(CRC_FROM)), 0);
  return at;
}

/** An empty slot for one that is damaged: a loss of power may do that, and costs a repeat at most. */
function decode(buffer: Buffer, index: number): Slot {
  const at = HEADER + index * SLOT;
  const bytes = buffer.subarray(at, at + SLOT);
  const slot: Slot = { index, stream: '', number: 0n, ino: 0, offset: 0, length: 0, age: 0 };
  const length = bytes.readUInt16LE(NAME_LENGTH);
  if (length > LONGEST_STREAM || bytes.readUInt32LE(0) !== crc32(bytes.subarray(CRC_FROM))) return slot;
  const number = (offset: number) => Number(bytes.readBigUInt64LE(offset));
  slot.stream = bytes.toString('utf8', NAME, NAME + length);
  slot.number = bytes.readBigUInt64LE(NUMBER);
  slot.ino = number(INODE);
  slot.offset = number(OFFSET);
  slot.length = number(LENGTH);
  slot.age = number(AGE);
  return slot;
}
