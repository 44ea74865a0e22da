import { Errno } from '../errno.ts';
import type { AttachRequest, FileNode, FileSystemStatus } from '../filesystem.ts';
import { FileKind, now } from '../memory/memory-node.ts';
import type { Attributes } from '../server/attributes.ts';
import type { DirectoryEntries } from '../server/directory-entries.ts';
import { OpenFlags } from '../wire/flags.ts';
import { Qid, QidType } from '../wire/qid.ts';
import type { Member } from './member.ts';

/** V9FS_MAGIC, which statfs(2) of a 9P mount shows anyway. */
const MAGIC = 0x01021997;
const BLOCK = 4096;
/** Cookies of `.` and `..`. */
const DOT = 1;
const DOT_DOT = 2;

/** A directory of the composition itself: the root, one on the way to a mounted filesystem, or where one is mounted. */
export class Place {
  readonly qid: Qid;
  readonly parent: Place | undefined;
  /** By the bytes of their names (`keyOf`), in order of their cookies. */
  readonly children = new Map<string, Place>();
  /** Where a listing of the parent goes on behind this one. */
  readonly cookie: number;
  readonly name: Uint8Array;
  /** What is mounted here; it has no children then. */
  member: Member | undefined;
  changed = now();
  #nextCookie = DOT_DOT + 1;

  constructor(number: number, name: Uint8Array, parent?: Place) {
    this.qid = new Qid(QidType.directory, 0, number);
    this.name = name;
    this.parent = parent;
    this.cookie = parent === undefined ? 0 : parent.#nextCookie++;
  }

  add(key: string, child: Place): void {
    this.children.set(key, child);
    this.#modified();
  }

  delete(key: string): void {
    this.children.delete(key);
    this.#modified();
  }

  #modified(): void {
    this.changed = now();
    this.qid.version = (this.qid.version + 1) >>> 0;
  }

  getattr(attributes: Attributes): void {
    attributes.mode = FileKind.directory | 0o555;
    attributes.nlink = 2 + this.children.size;
    attributes.size = this.children.size;
    attributes.blksize = BLOCK;
    const { seconds, nanoseconds } = this.changed;
    attributes.atimeSec = seconds;
    attributes.atimeNsec = nanoseconds;
    attributes.mtimeSec = seconds;
    attributes.mtimeNsec = nanoseconds;
    attributes.ctimeSec = seconds;
    attributes.ctimeNsec = nanoseconds;
  }

  /** A directory without room: what can be filled is mounted below it. */
  statfs(): FileSystemStatus {
    const nothing = { blocks: 0, freeBlocks: 0, availableBlocks: 0, files: 0, freeFiles: 0, id: 0 };
    return { type: MAGIC, blockSize: BLOCK, ...nothing, nameLength: 255 };
  }

  readdir(cookie: bigint, entries: DirectoryEntries): number {
    const room = entries.room;
    if (cookie < DOT && !entries.add('.', this.qid, DOT, 4)) return -Errno.EINVAL;
    if (cookie < DOT_DOT && !entries.add('..', (this.parent ?? this).qid, DOT_DOT, 4)) {
      return entries.room === room ? -Errno.EINVAL : 0;
    }
    for (const child of this.children.values()) {
      if (child.cookie <= cookie || entries.add(child.name, child.qid, child.cookie, 4)) continue;
      return entries.room === room ? -Errno.EINVAL : 0;
    }
    return 0;
  }
}

/** A place as one who attached reaches it: whatever is mounted below will be attached in the same name. */
export class PlaceNode implements FileNode {
  readonly place: Place;
  readonly who: AttachRequest;

  constructor(place: Place, who: AttachRequest) {
    this.place = place;
    this.who = who;
  }

  get qid(): Qid {
    return this.place.qid;
  }

  open(flags: number): PlaceFile | number {
    const writes = (flags & OpenFlags.accessMode) !== OpenFlags.readOnly;
    return writes || (flags & OpenFlags.truncate) !== 0 ? -Errno.EISDIR : new PlaceFile(this.place);
  }
}

/** A place that was opened. */
export class PlaceFile {
  readonly place: Place;

  constructor(place: Place) {
    this.place = place;
  }
}
