// stat(2) and statfs(2) results as an array of u64 words; src/stat.ts holds the same order.
#pragma once

#include <fcntl.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "call.h"
#include "kernel.h"

namespace vm_linux {

using StatRoom = Room<20 * sizeof(uint64_t)>;
using StatFsRoom = Room<12 * sizeof(uint64_t)>;  // the last word is spare

template <size_t room, size_t count>
int64_t fill(const Room<room>& out, const uint64_t (&words)[count]) {
  static_assert(sizeof(words) <= room);
  memcpy(out.data, words, sizeof(words));
  return 0;
}

inline int64_t fill_stat(const StatRoom& out, const struct stat& s) {
  return fill(out, {s.st_dev, s.st_ino, s.st_mode, s.st_nlink, s.st_uid, s.st_gid, s.st_rdev,
                    static_cast<uint64_t>(s.st_size), static_cast<uint64_t>(s.st_blksize),
                    static_cast<uint64_t>(s.st_blocks), static_cast<uint64_t>(s.st_atim.tv_sec),
                    static_cast<uint64_t>(s.st_atim.tv_nsec), static_cast<uint64_t>(s.st_mtim.tv_sec),
                    static_cast<uint64_t>(s.st_mtim.tv_nsec), static_cast<uint64_t>(s.st_ctim.tv_sec),
                    static_cast<uint64_t>(s.st_ctim.tv_nsec)});
}

inline int64_t stat_descriptor(int fd, const StatRoom& out) {
  struct stat s;
  const int64_t result = retry([&] { return kernel_fstat(fd, &s); });
  return result < 0 ? result : fill_stat(out, s);
}

// Two system calls for one crossing from JavaScript, which costs a walk more than either of them costs it.
inline int64_t open_and_stat(int dirfd, const char* name, int flags, const StatRoom& out) {
  const int64_t fd = retry([&] { return openat(dirfd, name, flags | O_CLOEXEC); });
  if (fd < 0) return fd;
  const int64_t failed = stat_descriptor(static_cast<int>(fd), out);
  if (failed == 0) return fd;
  close(static_cast<int>(fd));
  return failed;
}

inline int64_t stat_name(int dirfd, const char* name, int flags, const StatRoom& out) {
  struct stat s;
  const int64_t result = retry([&] { return kernel_fstatat(dirfd, name, &s, flags); });
  return result < 0 ? result : fill_stat(out, s);
}

inline int64_t statx_name(int dirfd, const char* name, int flags, const StatRoom& out) {
  KernelStatx s;
  const unsigned mask = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID;
  const int64_t result = retry([&] { return kernel_statx(dirfd, name, flags, mask, &s); });
  if (result < 0) return result;
  return fill(out, {makedev(s.dev_major, s.dev_minor), s.ino, s.mode, s.nlink, s.uid, s.gid,
                    makedev(s.rdev_major, s.rdev_minor), s.size, s.blksize, s.blocks,
                    static_cast<uint64_t>(s.atime.sec), s.atime.nsec, static_cast<uint64_t>(s.mtime.sec),
                    s.mtime.nsec, static_cast<uint64_t>(s.ctime.sec), s.ctime.nsec,
                    static_cast<uint64_t>(s.btime.sec), s.btime.nsec, s.mask, s.mnt_id});
}

inline int64_t set_times(int dirfd, const char* name, const struct timespec (&times)[2], int flags) {
  return retry([&] { return utimensat(dirfd, name, times, flags); });
}

inline int64_t statfs_descriptor(int fd, const StatFsRoom& out) {
  struct statfs s;
  const int64_t result = retry([&] { return fstatfs(fd, &s); });
  if (result < 0) return result;
  uint64_t fsid;
  static_assert(sizeof(fsid) == sizeof(s.f_fsid));
  memcpy(&fsid, &s.f_fsid, sizeof(fsid));
  return fill(out, {static_cast<uint64_t>(s.f_type), static_cast<uint64_t>(s.f_bsize), s.f_blocks, s.f_bfree,
                    s.f_bavail, s.f_files, s.f_ffree, fsid, static_cast<uint64_t>(s.f_namelen),
                    static_cast<uint64_t>(s.f_frsize), static_cast<uint64_t>(s.f_flags)});
}

}  // namespace vm_linux
