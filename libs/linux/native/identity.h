// Who a thread is when it works with files. To the kernel these are the thread's own; the C library's setgroups changes all threads.
#pragma once

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"

namespace vm_linux {

// The call itself does not say whether it worked. Asked for an id that is none, it tells the one that holds.
inline int64_t set_file_id(long number, uint32_t id) {
  if (id == UINT32_MAX) return -EINVAL;
  syscall(number, id);
  return static_cast<uint32_t>(syscall(number, UINT32_MAX)) == id ? 0 : -EPERM;
}

inline int64_t set_thread_groups(const Bytes& groups) {
  if (groups.size % sizeof(uint32_t) != 0) return -EINVAL;
  return once([&] { return syscall(SYS_setgroups, groups.size / sizeof(uint32_t), groups.data); });
}

}  // namespace vm_linux
