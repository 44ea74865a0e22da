import { Errno } from '../errno.ts';
import type { DirectoryEntries } from '../server/directory-entries.ts';
import { QidType } from '../wire/qid.ts';
import { constants, getdents64, lseek } from './linux.ts';

const DT_DIR = 4;
const DT_LNK = 10;

/** struct linux_dirent64 (getdents64(2)): d_ino u64, d_off u64, d_reclen u16, d_type u8, d_name with NUL. */
const OFF = 8;
const RECLEN = 16;
const TYPE = 18;
const NAME = 19;
/** The longest record: a name of 255 bytes, its NUL, padding. */
const LONGEST_RECORD = 280;

/** Reads directories by getdents64 into one buffer, which all directories of a filesystem share. */
export class DirectoryReader {
  readonly #bytes = new Uint8Array(64 * 1024);
  readonly #view = new DataView(this.#bytes.buffer);

  /**
   * Adds the entries behind `cookie`, as d_off gives it, until there is no room.
   *
   * @param position the cookie at which the descriptor stands
   * @param deviceBits what the inode numbers get (`HostNodeTree.deviceBits`)
   * @returns the cookie at which the descriptor stands now, -1n when that is not known; or a negative errno
   */
  read(
    fd: number,
    cookie: bigint,
    position: bigint,
    entries: DirectoryEntries,
    deviceBits: number,
  ): bigint | number {
    if (cookie !== position) {
      const failed = lseek(fd, cookie, constants.SEEK_SET);
      if (failed < 0) return failed;
    }
    let isEmpty = true;
    let last = cookie;
    for (;;) {
      // A record takes at least as many bytes as its entry on the wire less 5, so little that was read has to be read again.
      const wanted = Math.min(
        this.#bytes.length,
        Math.max(entries.room - (entries.room >> 2), LONGEST_RECORD),
      );
      const length = getdents64(fd, this.#bytes, 0, wanted);
      if (length < 0) return length;
      if (length === 0) return last;
      const added = this.#add(length, entries, deviceBits);
      isEmpty &&= added === 0;
      if (added < length) return isEmpty ? -Errno.EINVAL : -1n;
      last = this.#view.getBigInt64(this.#lastRecord + OFF, true);
      if (entries.room < LONGEST_RECORD) return last;
    }
  }

  #lastRecord = 0;

  /** Adds the records in the first `length` bytes; how many bytes of them fitted. */
  #add(length: number, entries: DirectoryEntries, deviceBits: number): number {
    const bytes = this.#bytes;
    const view = this.#view;
    let at = 0;
    while (at < length) {
      const size = view.getUint16(at + RECLEN, true);
      const type = view.getUint8(at + TYPE);
      let nameEnd = at + NAME;
      while (bytes[nameEnd] !== 0) nameEnd++;
      const added = entries.addRaw(
        bytes,
        at + NAME,
        nameEnd - at - NAME,
        type === DT_DIR ? QidType.directory : type === DT_LNK ? QidType.symlink : QidType.file,
        0,
        view.getUint32(at, true),
        (view.getUint32(at + 4, true) ^ deviceBits) >>> 0,
        view.getUint32(at + OFF, true),
        view.getUint32(at + OFF + 4, true),
        type,
      );
      if (!added) return at;
      this.#lastRecord = at;
      at += size;
    }
    return at;
  }
}
