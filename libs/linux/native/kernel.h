// What the kernel has and some C libraries lack or have renamed: declared here and called by syscall(2), so that
// the addon compiles with any of them and loads on old ones (glibc's fstat is a new symbol since 2.33; musl has
// statx and renameat2 only since 1.2.5 and later). Layout and numbers are the kernel's ABI, of
// include/uapi/linux/stat.h and fs.h.
#pragma once

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#define RENAME_WHITEOUT 4
#endif

#ifndef STATX_BASIC_STATS
#define STATX_TYPE 0x001
#define STATX_MODE 0x002
#define STATX_NLINK 0x004
#define STATX_UID 0x008
#define STATX_GID 0x010
#define STATX_ATIME 0x020
#define STATX_MTIME 0x040
#define STATX_CTIME 0x080
#define STATX_INO 0x100
#define STATX_SIZE 0x200
#define STATX_BLOCKS 0x400
#define STATX_BASIC_STATS 0x7ff
#define STATX_BTIME 0x800
#endif
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000
#endif

namespace vm_linux {

struct KernelTime {
  int64_t sec;
  uint32_t nsec;
  int32_t reserved;
};

struct KernelStatx {
  uint32_t mask, blksize;
  uint64_t attributes;
  uint32_t nlink, uid, gid;
  uint16_t mode, reserved;
  uint64_t ino, size, blocks, attributes_mask;
  KernelTime atime, btime, ctime, mtime;
  uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
  uint64_t mnt_id, spare[13];
};
static_assert(sizeof(KernelStatx) == 256);

// On 64-bit machines the C libraries' struct stat is the kernel's own.
static_assert(sizeof(void*) == 8);

inline long kernel_fstat(int fd, struct stat* out) { return syscall(SYS_fstat, fd, out); }

inline long kernel_fstatat(int dirfd, const char* name, struct stat* out, int flags) {
  return syscall(SYS_newfstatat, dirfd, name, out, flags);
}

inline long kernel_statx(int dirfd, const char* name, int flags, unsigned mask, KernelStatx* out) {
  return syscall(SYS_statx, dirfd, name, flags, mask, out);
}

inline long kernel_renameat2(int from, const char* old, int to, const char* name, unsigned flags) {
  return syscall(SYS_renameat2, from, old, to, name, flags);
}

inline long kernel_mknodat(int dirfd, const char* name, mode_t mode, dev_t device) {
  return syscall(SYS_mknodat, dirfd, name, mode, device);
}

inline long kernel_getdents64(int fd, void* to, size_t size) { return syscall(SYS_getdents64, fd, to, size); }

}  // namespace vm_linux
