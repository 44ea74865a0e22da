// Calls by which a process gives up rights, and starts over without them.
#pragma once

#include <fcntl.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"
#include "system_calls.h"

namespace vm_linux {

inline int64_t set_close_on_exec(int fd, int on) {
  return once([&] { return fcntl(fd, F_SETFD, on != 0 ? FD_CLOEXEC : 0); });
}

inline int64_t set_no_new_privileges(int on) {
  return once([&] { return prctl(PR_SET_NO_NEW_PRIVS, static_cast<unsigned long>(on), 0, 0, 0); });
}

// No attributes are a null pointer: that is how the version is asked for.
inline int64_t landlock_create_ruleset(const Bytes& attributes, uint32_t flags) {
  const void* first = attributes.size > 0 ? attributes.data : nullptr;
  return once([&] { return syscall(NR_landlock_create_ruleset, first, attributes.size, flags); });
}

inline int64_t landlock_add_rule(int ruleset, int type, const Bytes& attributes, uint32_t flags) {
  constexpr size_t smallest = 12;  // struct landlock_path_beneath_attr
  if (attributes.size < smallest) return -EFAULT;
  return once([&] { return syscall(NR_landlock_add_rule, ruleset, type, attributes.data, flags); });
}

inline int64_t landlock_restrict_self(int ruleset, uint32_t flags) {
  return once([&] { return syscall(NR_landlock_restrict_self, ruleset, flags); });
}

// A thread that cannot be brought under the filter is named by a positive result: then nothing was changed.
inline int64_t seccomp_filter(const Bytes& program, uint32_t flags) {
  constexpr uint32_t set_mode_filter = 1;
  if (program.size % sizeof(struct sock_filter) != 0) return -EINVAL;
  if (program.size / sizeof(struct sock_filter) > UINT16_MAX) return -EINVAL;
  struct sock_fprog filter = {static_cast<unsigned short>(program.size / sizeof(struct sock_filter)),
                              reinterpret_cast<struct sock_filter*>(program.data)};
  const int64_t result = once([&] { return syscall(SYS_seccomp, set_mode_filter, flags, &filter); });
  return result > 0 ? -ESRCH : result;
}

// Strings, each with the NUL that ends it, as a list of pointers that is to be freed; null without memory.
inline char** pointers_to(const Bytes& strings) {
  size_t count = 0;
  for (size_t i = 0; i < strings.size; i++) count += strings.data[i] == 0;
  char** list = static_cast<char**>(malloc((count + 1) * sizeof(char*)));
  if (list == nullptr) return nullptr;
  char* next = strings.text();
  for (size_t i = 0; i < count; i++) {
    list[i] = next;
    next += strlen(next) + 1;
  }
  list[count] = nullptr;
  return list;
}

inline bool are_terminated(const Bytes& strings) {
  return strings.size == 0 || strings.data[strings.size - 1] == 0;
}

// Comes back only when it failed.
inline int64_t execute(const char* path, const Bytes& argv, const Bytes& envp) {
  if (!are_terminated(argv) || !are_terminated(envp)) return -EINVAL;
  char** arguments = pointers_to(argv);
  char** environment = pointers_to(envp);
  const int64_t result = arguments == nullptr || environment == nullptr
                             ? -ENOMEM
                             : once([&] { return execve(path, arguments, environment); });
  free(arguments);
  free(environment);
  return result;
}

}  // namespace vm_linux
