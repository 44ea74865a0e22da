import type { AttributeChanges, FileSystemStatus, Time } from '../filesystem.ts';
import { SetattrMask } from '../wire/flags.ts';
import type { Message } from '../wire/messages.ts';
import type { Qid } from '../wire/qid.ts';

/** A file's attributes, as getattr gives them; see stat(2). */
export interface FileAttributes {
  /** Which of them the server vouches for: GetattrMask. */
  valid: number;
  qid: Qid;
  /** Type and permissions, as st_mode. */
  mode: number;
  uid: number;
  gid: number;
  nlink: number;
  /** Device number as Linux encodes it (makedev(3)). */
  rdev: bigint;
  /** Bytes; exact up to 2^53. */
  size: number;
  /** Preferred size of reads and writes, bytes. */
  blksize: number;
  /** Units of 512 bytes. */
  blocks: number;
  atime: Time;
  mtime: Time;
  ctime: Time;
  btime: Time;
  gen: bigint;
  dataVersion: bigint;
}

export function fromRgetattr(reply: Message<'Rgetattr'>): FileAttributes {
  return {
    valid: Number(BigInt.asUintN(32, reply.valid)),
    qid: reply.qid,
    mode: reply.mode,
    uid: reply.uid,
    gid: reply.gid,
    nlink: Number(reply.nlink),
    rdev: reply.rdev,
    size: Number(reply.size),
    blksize: Number(reply.blksize),
    blocks: Number(reply.blocks),
    atime: time(reply.atimeSec, reply.atimeNsec),
    mtime: time(reply.mtimeSec, reply.mtimeNsec),
    ctime: time(reply.ctimeSec, reply.ctimeNsec),
    btime: time(reply.btimeSec, reply.btimeNsec),
    gen: reply.gen,
    dataVersion: reply.dataVersion,
  };
}

/** Seconds are unsigned on the wire, and signed in what Linux reads from it: times before 1970 come as large numbers. */
function time(seconds: bigint, nanoseconds: bigint): Time {
  return { seconds: Number(BigInt.asIntN(64, seconds)), nanoseconds: Number(nanoseconds) };
}

export function toTsetattr(fid: number, changes: AttributeChanges): Omit<Message<'Tsetattr'>, 'tag'> {
  const { mode, uid, gid, size, atime, mtime, ctime } = changes;
  let valid = 0;
  if (mode !== undefined) valid |= SetattrMask.mode;
  if (uid !== undefined) valid |= SetattrMask.uid;
  if (gid !== undefined) valid |= SetattrMask.gid;
  if (size !== undefined) valid |= SetattrMask.size;
  if (ctime === true) valid |= SetattrMask.ctime;
  if (atime !== undefined) valid |= SetattrMask.atime | (atime === 'now' ? 0 : SetattrMask.atimeSet);
  if (mtime !== undefined) valid |= SetattrMask.mtime | (mtime === 'now' ? 0 : SetattrMask.mtimeSet);
  return {
    message: 'Tsetattr',
    fid,
    valid,
    mode: mode ?? 0,
    uid: uid ?? 0,
    gid: gid ?? 0,
    size: BigInt(size ?? 0),
    ...timeFields('atime', atime),
    ...timeFields('mtime', mtime),
  };
}

function timeFields<K extends 'atime' | 'mtime'>(
  name: K,
  value: Time | 'now' | undefined,
): Record<`${K}Sec` | `${K}Nsec`, bigint> {
  const { seconds, nanoseconds } =
    value === undefined || value === 'now' ? { seconds: 0, nanoseconds: 0 } : value;
  return {
    [`${name}Sec`]: BigInt.asUintN(64, BigInt(seconds)),
    [`${name}Nsec`]: BigInt(nanoseconds),
  } as Record<`${K}Sec` | `${K}Nsec`, bigint>;
}

/** What statfs gives; see statfs(2). */
export interface RemoteFileSystemStatus extends FileSystemStatus {
  blocks: bigint;
  freeBlocks: bigint;
  availableBlocks: bigint;
  files: bigint;
  freeFiles: bigint;
  id: bigint;
}

export function fromRstatfs(reply: Message<'Rstatfs'>): RemoteFileSystemStatus {
  return {
    type: reply.type,
    blockSize: reply.bsize,
    blocks: reply.blocks,
    freeBlocks: reply.bfree,
    availableBlocks: reply.bavail,
    files: reply.files,
    freeFiles: reply.ffree,
    id: reply.fsid,
    nameLength: reply.namelen,
  };
}
