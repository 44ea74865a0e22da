import type { FileSystemStatus } from '../filesystem.ts';
import { fstatfs, STATFS_WORDS, StatFs } from './linux.ts';

const words = new Uint32Array(STATFS_WORDS);

/** What statfs(2) says of the filesystem that a descriptor lies in, or a negative errno. */
export function statusOf(fd: number): FileSystemStatus | number {
  const failed = fstatfs(fd, words);
  if (failed < 0) return failed;
  return {
    type: words[StatFs.type] as number,
    blockSize: words[StatFs.bsize] as number,
    blocks: wide(StatFs.blocks),
    freeBlocks: wide(StatFs.bfree),
    availableBlocks: wide(StatFs.bavail),
    files: wide(StatFs.files),
    freeFiles: wide(StatFs.ffree),
    id: wide(StatFs.fsid),
    nameLength: words[StatFs.namelen] as number,
  };
}

function wide(index: number): bigint {
  return (BigInt(words[index + 1] as number) << 32n) | BigInt(words[index] as number);
}
