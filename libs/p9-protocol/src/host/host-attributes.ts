import { Errno } from '../errno.ts';
import type { AttributeChanges, Time } from '../filesystem.ts';
import { type Attributes, attributeOffsets } from '../server/attributes.ts';
import { GetattrMask } from '../wire/flags.ts';
import type { IdMap } from './id-map.ts';
import { chmod, constants, fchownat, ftruncate, Stat, truncate, utimensat } from './linux.ts';
import { procPath } from './proc-path.ts';

const { AT_EMPTY_PATH, S_IFDIR, S_IFLNK, S_IFREG } = constants;
const NO_NAME = new Uint8Array(0);
/** "Leave this id as it is", of chown(2). */
const NO_ID = 0xffffffff;
const PERMISSIONS = 0o7777;

/** Every 64-bit field that is passed on as it is: its place among the words of a stat, and in an Rgetattr. */
const WIDE_FIELDS = new Uint32Array(
  (
    [
      'nlink',
      'rdev',
      'size',
      'blksize',
      'blocks',
      'atimeSec',
      'atimeNsec',
      'mtimeSec',
      'mtimeNsec',
      'ctimeSec',
      'ctimeNsec',
    ] as const
  ).flatMap((field) => [Stat[field], attributeOffsets[field]]),
);

/** Answers a Tgetattr from the words of an fstat, or of a statx when the time of birth is asked for. */
export function writeAttributes(
  stat: Uint32Array,
  attributes: Attributes,
  withBirth: boolean,
  uids: IdMap,
  gids: IdMap,
): void {
  const { view, base } = attributes;
  view.setUint32(base + attributeOffsets.mode, stat[Stat.mode] as number, true);
  view.setUint32(base + attributeOffsets.uid, uids.toClient(stat[Stat.uid] as number), true);
  view.setUint32(base + attributeOffsets.gid, gids.toClient(stat[Stat.gid] as number), true);
  for (let i = 0; i < WIDE_FIELDS.length; i += 2) {
    copyWide(view, base + (WIDE_FIELDS[i + 1] as number), stat, WIDE_FIELDS[i] as number);
  }
  if (withBirth && ((stat[Stat.mask] as number) & constants.STATX_BTIME) !== 0) {
    copyWide(view, base + attributeOffsets.btimeSec, stat, Stat.btimeSec);
    copyWide(view, base + attributeOffsets.btimeNsec, stat, Stat.btimeNsec);
    attributes.valid = GetattrMask.basic | GetattrMask.btime;
  }
}

function copyWide(view: DataView, at: number, words: Uint32Array, index: number): void {
  view.setUint32(at, words[index] as number, true);
  view.setUint32(at + 4, words[index + 1] as number, true);
}

/**
 * Tsetattr on the file that an O_PATH descriptor refers to. Owner before mode, since a change of owner clears the set-id
 * bits; times last, since truncation changes them.
 *
 * @param writable a descriptor of the file that is open for writing, or -1
 * @param kind type bits of st_mode
 */
export function changeAttributes(
  fd: number,
  writable: number,
  kind: number,
  changes: AttributeChanges,
  uids: IdMap,
  gids: IdMap,
): number {
  const { uid, gid, mode, size, atime, mtime, ctime } = changes;
  let failed = 0;
  // Owner and group both unchanged: ctime alone is brought up to date.
  if (uid !== undefined || gid !== undefined || ctime) {
    const hostUid = uid === undefined ? NO_ID : uids.toHost(uid);
    const hostGid = gid === undefined ? NO_ID : gids.toHost(gid);
    failed = fchownat(fd, NO_NAME, 0, 0, hostUid, hostGid, AT_EMPTY_PATH);
  }
  if (failed === 0 && mode !== undefined) {
    failed = kind === S_IFLNK ? -Errno.EOPNOTSUPP : chmod(procPath(fd), mode & PERMISSIONS);
  }
  if (failed === 0 && size !== undefined) failed = changeSize(fd, writable, kind, size);
  if (failed === 0 && (atime !== undefined || mtime !== undefined)) {
    failed = utimensat(
      fd,
      NO_NAME,
      0,
      0,
      secondsOf(atime),
      nanosecondsOf(atime),
      secondsOf(mtime),
      nanosecondsOf(mtime),
      AT_EMPTY_PATH,
    );
  }
  return failed;
}

function changeSize(fd: number, writable: number, kind: number, size: number): number {
  if (writable >= 0) return ftruncate(writable, size);
  if (kind === S_IFDIR) return -Errno.EISDIR;
  if (kind !== S_IFREG) return -Errno.EINVAL;
  return truncate(procPath(fd), size);
}

function secondsOf(time: Time | 'now' | undefined): number {
  return typeof time === 'object' ? time.seconds : 0;
}

function nanosecondsOf(time: Time | 'now' | undefined): number {
  if (time === undefined) return constants.UTIME_OMIT;
  return time === 'now' ? constants.UTIME_NOW : time.nanoseconds;
}
