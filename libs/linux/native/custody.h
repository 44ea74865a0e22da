// Descriptors that JavaScript has as numbers, and nothing else owns yet. A thread that is terminated runs no more JavaScript, no
// `finally` either: its environment closes what is here then.
//
// Each is known by the file that it stood for when it came. When a handle of Node.js has taken a number and `letGo` was not
// reached, Node.js has closed it already, for it closes handles before it calls clean-up hooks, and the number may be
// another thread's by now.
#pragma once

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call.h"
#include "kernel.h"

namespace vm_linux {

struct Kept {
  int fd;
  dev_t device;
  ino_t inode;
};

// Of one environment, which is to say of one thread.
struct Custody {
  Kept* entries;
  size_t count, room;
};

inline int custody_grow(Custody* custody) {
  const size_t room = custody->room * 2 + 16;
  void* entries = realloc(custody->entries, room * sizeof(Kept));
  if (entries == nullptr) return -ENOMEM;
  custody->entries = static_cast<Kept*>(entries);
  custody->room = room;
  return 0;
}

inline void custody_cleanup(void* data) {
  auto* custody = static_cast<Custody*>(data);
  for (size_t i = 0; i < custody->count; i++) {
    const Kept& kept = custody->entries[i];
    struct stat file;
    if (kernel_fstat(kept.fd, &file) == 0 && file.st_dev == kept.device && file.st_ino == kept.inode) close(kept.fd);
  }
  free(custody->entries);
  free(custody);
}

inline bool custody_open(napi_env env) {
  auto* custody = static_cast<Custody*>(calloc(1, sizeof(Custody)));
  return custody != nullptr && napi_set_instance_data(env, custody, nullptr, nullptr) == napi_ok &&
         napi_add_env_cleanup_hook(env, custody_cleanup, custody) == napi_ok;
}

// What a call takes first that has to do with custody; no argument of JavaScript.
struct Keeper {
  static constexpr size_t arity = 0;
  Custody* custody;

  Keeper() {}
  int read(napi_env env, const napi_value*) {
    void* data;
    if (napi_get_instance_data(env, &data) != napi_ok || data == nullptr) return -EINVAL;
    custody = static_cast<Custody*>(data);
    return 0;
  }

  // The descriptor, or the negative errno that it is; closed if it cannot be kept.
  int64_t keep(int64_t fd) const {
    if (fd < 0) return fd;
    const int own = static_cast<int>(fd);
    struct stat file;
    int64_t error = once([&] { return kernel_fstat(own, &file); });
    if (error == 0 && custody->count == custody->room) error = custody_grow(custody);
    if (error != 0) {
      close(own);
      return error;
    }
    custody->entries[custody->count++] = {own, file.st_dev, file.st_ino};
    return fd;
  }

  // It is someone else's. The latest come and go the most.
  int64_t let_go(int fd) const {
    for (size_t i = custody->count; i-- > 0;) {
      if (custody->entries[i].fd != fd) continue;
      custody->entries[i] = custody->entries[--custody->count];
      break;
    }
    return 0;
  }

  int64_t end(int fd) const {
    let_go(fd);
    return once([&] { return close(fd); });
  }

  // Both of a pair, or none.
  int64_t keep_pair(const Bytes& out, int64_t made) const {
    if (made < 0) return made;
    int fds[2];
    memcpy(fds, out.data, sizeof(fds));
    const int64_t first = keep(fds[0]);
    const int64_t second = keep(fds[1]);
    if (first >= 0 && second < 0) end(fds[0]);
    if (second >= 0 && first < 0) end(fds[1]);
    return first < 0 ? first : second < 0 ? second : 0;
  }
};

}  // namespace vm_linux
