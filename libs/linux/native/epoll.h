// epoll(7): readiness of many descriptors in one call.
#pragma once

#include <sys/epoll.h>

#include "call.h"

namespace vm_linux {

constexpr size_t max_events = 256;

inline int64_t epoll_change(int epoll, int operation, int fd, uint32_t events, uint32_t token) {
  struct epoll_event event = {};
  event.events = events;
  event.data.u64 = token;
  return once([&] { return epoll_ctl(epoll, operation, fd, &event); });
}

// Writes (token, events) pairs of u32; returns how many. A signal ends a wait with nothing.
inline int64_t epoll_ready(int epoll, const Bytes& out, int timeout) {
  struct epoll_event events[max_events];
  const size_t room = out.size / 8 < max_events ? out.size / 8 : max_events;
  if (room == 0) return -EFAULT;
  const int64_t count = once([&] { return epoll_wait(epoll, events, static_cast<int>(room), timeout); });
  for (int64_t i = 0; i < count; i++) {
    const uint32_t pair[2] = {static_cast<uint32_t>(events[i].data.u64), events[i].events};
    memcpy(out.data + 8 * i, pair, sizeof(pair));
  }
  return count == -EINTR ? 0 : count;
}

}  // namespace vm_linux
