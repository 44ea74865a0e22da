// Calls on descriptors that need more than one line.
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "call.h"

namespace vm_linux {

// What a descriptor (O_PATH, too) refers to, opened anew.
inline int64_t reopen(int fd, int flags) {
  if (fd < 0) return -EBADF;
  char path[32];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  return retry([&] { return open(path, flags | O_CLOEXEC); });
}

// The same where /proc/self/fd is open already: none of that path is walked.
inline int64_t reopen_in(int descriptors, int fd, int flags) {
  if (fd < 0) return -EBADF;
  char name[16];
  snprintf(name, sizeof(name), "%d", fd);
  return retry([&] { return openat(descriptors, name, flags | O_CLOEXEC); });
}

inline int64_t set_nonblocking(int fd, int on) {
  const int64_t flags = once([&] { return fcntl(fd, F_GETFL); });
  if (flags < 0) return flags;
  const int wanted = static_cast<int>(on != 0 ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
  return wanted == flags ? 0 : once([&] { return fcntl(fd, F_SETFL, wanted); });
}

// EBUSY: another thread is opening something at that very number.
inline int64_t replace_descriptor(int fd, int onto) {
  for (;;) {
    const int64_t result = retry([&] { return dup3(fd, onto, O_CLOEXEC); });
    if (result != -EBUSY) return result;
  }
}

// Writes the two descriptors of a pipe or a socket pair.
template <typename F>
int64_t pair(const Bytes& out, F make) {
  int fds[2];
  if (out.size < sizeof(fds)) return -EFAULT;
  const int64_t result = once([&] { return make(fds); });
  if (result == 0) memcpy(out.data, fds, sizeof(fds));
  return result;
}

// Open file description locks: l_pid has to be 0.
inline struct flock lock_of(int type, int64_t start, int64_t length) {
  struct flock lock = {};
  lock.l_type = static_cast<short>(type);
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  return lock;
}

inline int64_t set_lock(int fd, int type, int64_t start, int64_t length) {
  struct flock lock = lock_of(type, start, length);
  return retry([&] { return fcntl(fd, F_OFD_SETLK, &lock); });
}

inline int64_t get_lock(int fd, int type, int64_t start, int64_t length, const Bytes& out) {
  struct flock lock = lock_of(type, start, length);
  if (out.size < 4 * sizeof(int64_t)) return -EFAULT;
  const int64_t result = retry([&] { return fcntl(fd, F_OFD_GETLK, &lock); });
  if (result < 0) return result;
  const int64_t words[] = {lock.l_type, lock.l_start, lock.l_len, lock.l_pid};
  memcpy(out.data, words, sizeof(words));
  return 0;
}

}  // namespace vm_linux
