// Socket calls that need more than one line.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "call.h"

namespace vm_linux {

constexpr uint32_t max_ranges = 1024;  // UIO_MAXIOV of the kernel

// Gathers `count` (start, length) pairs of u32 out of one buffer.
inline int64_t send_ranges(int fd, const Bytes& buffer, const Bytes& ranges, uint32_t count, int flags) {
  struct iovec parts[max_ranges];
  if (count > max_ranges) return -EINVAL;
  if (ranges.size / 8 < count) return -EFAULT;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t range[2];
    memcpy(range, ranges.data + 8 * i, sizeof(range));
    if (range[0] > buffer.size || range[1] > buffer.size - range[0]) return -EFAULT;
    parts[i] = {buffer.data + range[0], range[1]};
  }
  struct msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = count;
  return retry([&] { return sendmsg(fd, &message, flags | MSG_NOSIGNAL); });
}

inline int64_t milliseconds() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1000000;
}

// Waits for events; a signal does not make the wait longer.
inline int64_t poll_one(int fd, int events, int timeout) {
  struct pollfd entry = {fd, static_cast<short>(events), 0};
  const int64_t deadline = timeout > 0 ? milliseconds() + timeout : 0;
  for (;;) {
    const int64_t result = once([&] { return poll(&entry, 1, timeout); });
    if (result >= 0) return result == 0 ? 0 : entry.revents;
    if (result != -EINTR) return result;
    if (timeout > 0) {
      const int64_t left = deadline - milliseconds();
      timeout = left > 0 ? static_cast<int>(left) : 0;
    }
  }
}

inline const struct sockaddr* sockaddr_of(const Buffer& address) {
  return reinterpret_cast<const struct sockaddr*>(address.data);
}

// A connect(2) that a signal interrupts goes on by itself: it is waited for, not called again.
inline int64_t connect_to(int fd, const Buffer& address) {
  const auto size = static_cast<socklen_t>(address.size);
  const int64_t result = once([&] { return connect(fd, sockaddr_of(address), size); });
  if (result != -EINTR) return result;
  const int64_t waited = poll_one(fd, POLLOUT, -1);
  if (waited < 0) return waited;
  int error = 0;
  socklen_t width = sizeof(error);
  const int64_t asked = once([&] { return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &width); });
  return asked < 0 ? asked : -error;
}

// getsockname(2) and getpeername(2): writes the address, returns its size.
template <typename F>
int64_t address_of(const Bytes& out, F ask) {
  struct sockaddr_storage address;
  socklen_t size = sizeof(address);
  const int64_t result = once([&] { return ask(reinterpret_cast<struct sockaddr*>(&address), &size); });
  if (result < 0) return result;
  if (size > out.size) return -EFAULT;
  memcpy(out.data, &address, size);
  return size;
}

inline int64_t get_option(int fd, int level, int name, const Bytes& out) {
  socklen_t size = static_cast<socklen_t>(out.size);
  const int64_t result = once([&] { return getsockopt(fd, level, name, out.data, &size); });
  return result < 0 ? result : size;
}

inline int64_t set_option(int fd, int level, int name, int value) {
  return once([&] { return setsockopt(fd, level, name, &value, sizeof(value)); });
}

// A literal IP address to its 4 or 16 bytes, and back to text; returns how many bytes were written.
inline int64_t parse_ip(int family, const char* text, const Bytes& out) {
  const size_t size = family == AF_INET ? 4 : 16;
  if (out.size < size) return -EFAULT;
  const int result = inet_pton(family, text, out.data);
  return result == 1 ? static_cast<int64_t>(size) : result == 0 ? -EINVAL : -errno;
}

inline int64_t format_ip(int family, const Bytes& address, const Bytes& out) {
  if (address.size < (family == AF_INET ? 4 : 16)) return -EFAULT;
  char text[INET6_ADDRSTRLEN];
  if (inet_ntop(family, address.data, text, sizeof(text)) == nullptr) return -errno;
  const size_t length = strlen(text);
  if (length > out.size) return -EFAULT;
  memcpy(out.data, text, length);
  return static_cast<int64_t>(length);
}

}  // namespace vm_linux
