import type { Difference } from './comparison.ts';
import type { Answer } from './place.ts';

/** As the client sends it: seconds alone, and none before 1970. */
function wholeSeconds(time: Answer | undefined): Answer {
  const seconds = Number(String(time).split('.')[0]);
  return seconds < 0 ? '0.0' : `${seconds}.0`;
}

/** The lock, without whose it is. */
function ofNobody(lock: Answer | undefined): Answer {
  return String(lock).replace(/process$/, 'nobody');
}

const seconds =
  'the client rounds the times that it sets to what its superblock says: s_time_gran 1 s, s_time_min 0 (fs/9p/vfs_super.c)';
const followsRename = 'nothing was renamed: see above';
const noFlags = 'the client refuses every flag (fs/9p/vfs_inode.c, v9fs_vfs_rename)';
const noHoles =
  'the client takes every byte of a file for data: it has no llseek of its own (fs/9p/vfs_file.c)';
const noFallocate = 'the client has no fallocate (fs/9p/vfs_file.c)';
const noMap =
  'without a cache the client maps nothing that is shared and could be written to (fs/9p/vfs_file.c, v9fs_file_mmap)';
const anyLock =
  'the client does not say which type of lock is asked about (fs/9p/vfs_file.c, v9fs_file_getlock): 9s says what is in the way of a write lock';
const nobody = 'whose lock of another client it is says a number that means nothing here: 9s says 0';

const guess =
  'with cache=loose the client does not ask again for attributes: what it cannot know by itself is its own guess';

/** In every cache mode that asks the server. */
const always: readonly Difference[] = [
  {
    family: 'open-others',
    call: /O_DIRECT\)/,
    p9: 'a descriptor',
    times: 1,
    why: 'tmpfs of Linux 6.1 has no direct reading and writing; 9P has',
  },
  {
    family: 'open-others',
    call: /^pread\(8, 0\)$/,
    p9: 'contents',
    times: 1,
    why: 'the file that tmpfs did not open',
  },
  {
    family: 'open-others',
    call: /O_TMPFILE/,
    p9: 'ENOTSUP',
    times: 1,
    why: 'the client has no files without names (no tmpfile in its inode_operations)',
  },
  { family: 'times', call: /^times/, field: 'atime', p9: wholeSeconds, times: 59, why: seconds },
  { family: 'times', call: /^times/, field: 'mtime', p9: wholeSeconds, times: 65, why: seconds },
  { family: 'nodes', call: /^times/, field: 'atime', p9: wholeSeconds, times: 1, why: seconds },
  { family: 'nodes', call: /^times/, field: 'mtime', p9: wholeSeconds, times: 1, why: seconds },
  { family: 'flagged-renames', call: /^rename/, p9: 'EINVAL', times: 20, why: noFlags },
  { family: 'flagged-renames', call: /^look/, times: 130, why: followsRename },
  { family: 'further-renames', call: /RENAME_WHITEOUT/, p9: 'EINVAL', times: 1, why: noFlags },
  {
    family: 'other-xattrs',
    call: /user\.(, value)?[),]/,
    p9: 'EINVAL',
    times: 6,
    why: 'tmpfs of Linux 6.1 has no user attributes at all; elsewhere that name is refused as being empty',
  },
  {
    family: 'two-ways',
    call: /^look\(SECOND\/f\)$/,
    times: 1,
    why: 'the client keeps a name that another one has renamed, while the file is open by it',
  },
  {
    family: 'acls',
    call: /^setxattr\(f, system.posix_acl_default/,
    p9: 'EINVAL',
    times: 5,
    why: 'the client refuses default ACLs of files by itself, with another error than other file systems (fs/9p/acl.c, v9fs_xattr_set_acl)',
  },
  { family: 'posix-locks-of-two-clients', call: /: get \d+ 0 /, times: 8, why: `${anyLock}, ${nobody}` },
  { family: 'posix-locks-of-two-clients', call: /: get \d+ 1 /, p9: ofNobody, times: 12, why: nobody },
  {
    family: 'flock-of-two-clients',
    call: /^b: flock \d+ 5$/,
    p9: 0,
    times: 1,
    why: 'the client makes flock a record lock (fs/9p/vfs_file.c, v9fs_file_flock_dotl), and unlocks at the server when one of its descriptors is closed',
  },
  { family: 'space', call: /fallocate/, p9: 'ENOTSUP', times: 4, why: noFallocate },
  { family: 'space', call: /^look\(allocated\)$/, times: 27, why: noFallocate },
  { family: 'space', call: /lseek \d+ \d+ [34]$/, times: 4, why: noHoles },
];

const withoutCache: readonly Difference[] = [
  { family: 'mappings', call: /mmap \d+ \d+ \d+ [13] 1$/, p9: 'EINVAL', times: 4, why: noMap },
  { family: 'mappings', call: /: (peek|poke|msync|munmap)/, times: 31, why: noMap },
  { family: 'mappings', call: /^look/, times: 7, why: noMap },
];

/** What 9P answers otherwise than the guest's tmpfs, by the client's cache mode. */
export const differences: Readonly<Record<'none' | 'mmap' | 'loose', readonly Difference[]>> = {
  none: [...always, ...withoutCache],
  mmap: always,
  loose: [
    { family: 'read-and-write', call: /^(look|fstat)/, field: 'blocks', times: 2, why: guess },
    {
      family: 'read-and-write',
      call: /^(look|fstat)/,
      field: 'blockSize',
      p9: 131_072,
      times: 3,
      why: guess,
    },
    { family: 'sizes', call: /^(look|fstat|lstat)/, field: 'blocks', times: 4, why: guess },
    { family: 'sizes', call: /^(look|fstat|lstat)/, field: 'blockSize', p9: 131_072, times: 26, why: guess },
    { family: 'mappings', call: /^look/, field: 'blocks', times: 3, why: guess },
    { family: 'mappings', call: /^look/, field: 'blockSize', p9: 131_072, times: 7, why: guess },
  ],
};

const oneBlock = 'ext4 keeps all attributes of a file in one block of 4 KiB; the host is on tmpfs';

/** What user.* attributes answer otherwise than on the guest's ext4. */
export const ext4Differences: readonly Difference[] = [
  { family: 'user-xattrs', call: /^setxattr\(d, user.big/, p9: 0, times: 3, why: oneBlock },
  { family: 'user-xattrs', call: /^getxattr\(d, user.big/, times: 8, why: oneBlock },
  {
    family: 'user-xattrs',
    call: /^lstat\(d\)$/,
    field: 'size',
    p9: 40,
    times: 1,
    why: "the size of a directory is its file system's affair",
  },
  {
    family: 'user-xattrs',
    call: /^lstat\(d\)$/,
    field: 'blocks',
    p9: 0,
    times: 1,
    why: 'as is what it takes',
  },
];
