// Socket calls that need more than one line.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "call.h"

namespace vm_linux {

constexpr uint32_t max_ranges = 1024;  // UIO_MAXIOV of the kernel

// Pairs of (start, length) as u32, or as doubles for what lies beyond 4 GiB.
struct Ranges : Bytes {
  bool wide;

  int read(napi_env env, const napi_value* argv) {
    if (int error = Bytes::read(env, argv)) return error;
    wide = type == napi_float64_array;
    return wide || type == napi_uint32_array ? 0 : -EINVAL;
  }

  // The pieces of `buffer` that the first `count` pairs name.
  int resolve(const Bytes& buffer, uint32_t count, struct iovec* parts) const {
    if (count > max_ranges) return -EINVAL;
    if (size / (wide ? 16 : 8) < count) return -EFAULT;
    for (uint32_t i = 0; i < count; i++) {
      size_t start, length;
      if (wide) {
        double range[2];
        memcpy(range, data + 16 * i, sizeof(range));
        if (!(range[0] >= 0 && range[0] <= 0x1p53 && range[1] >= 0 && range[1] <= 0x1p53)) return -EFAULT;
        start = static_cast<size_t>(range[0]);
        length = static_cast<size_t>(range[1]);
      } else {
        uint32_t range[2];
        memcpy(range, data + 8 * i, sizeof(range));
        start = range[0];
        length = range[1];
      }
      if (start > buffer.size || length > buffer.size - start) return -EFAULT;
      parts[i] = {buffer.data + start, length};
    }
    return 0;
  }
};

inline int64_t send_ranges(int fd, const Bytes& buffer, const Ranges& ranges, uint32_t count, int flags) {
  struct iovec parts[max_ranges];
  if (int error = ranges.resolve(buffer, count, parts)) return error;
  struct msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = count;
  return retry([&] { return sendmsg(fd, &message, flags | MSG_NOSIGNAL); });
}

inline int64_t receive_ranges(int fd, const Bytes& buffer, const Ranges& ranges, uint32_t count, int flags) {
  struct iovec parts[max_ranges];
  if (int error = ranges.resolve(buffer, count, parts)) return error;
  struct msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = count;
  return retry([&] { return recvmsg(fd, &message, flags); });
}

constexpr size_t max_descriptors = 253;  // SCM_MAX_FD of the kernel

// Room for one control message with descriptors.
union DescriptorMessage {
  struct cmsghdr header;
  char room[CMSG_SPACE(max_descriptors * sizeof(int))];
};

inline int64_t send_descriptors(int fd, const Buffer& from, int flags, const Bytes& descriptors, uint32_t count) {
  if (count > max_descriptors) return -EINVAL;
  if (descriptors.size / sizeof(int) < count) return -EFAULT;
  struct iovec part = {from.data, from.size};
  struct msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  DescriptorMessage control;
  if (count > 0) {
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    memset(&control, 0, sizeof(control));
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), descriptors.data, count * sizeof(int));
  }
  return retry([&] { return sendmsg(fd, &message, flags | MSG_NOSIGNAL); });
}

// Takes data and the descriptors that came with it: they fill `out`, whose rest becomes -1. When more came than
// fit there, none is kept and the result is -EMSGSIZE.
inline int64_t receive_descriptors(int fd, const Buffer& to, int flags, const Bytes& out) {
  struct iovec part = {to.data, to.size};
  DescriptorMessage control;
  struct msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof(control);
  const size_t room = out.size / sizeof(int);
  if (room > 0) memset(out.data, 0xff, room * sizeof(int));
  const int64_t result = retry([&] { return recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC); });
  if (result < 0) return result;
  size_t taken = 0;
  bool fits = (message.msg_flags & MSG_CTRUNC) == 0;
  for (struct cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int descriptor;
      memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      if (taken < room) {
        memcpy(out.data + taken++ * sizeof(int), &descriptor, sizeof(int));
      } else {
        close(descriptor);
        fits = false;
      }
    }
  }
  if (fits) return result;
  for (size_t i = 0; i < taken; i++) {
    int descriptor;
    memcpy(&descriptor, out.data + i * sizeof(int), sizeof(int));
    close(descriptor);
  }
  if (room > 0) memset(out.data, 0xff, room * sizeof(int));
  return -EMSGSIZE;
}

constexpr uint32_t max_messages = 256;
constexpr size_t message_words = 5;  // length, flags, pid, uid, gid

union CredentialsMessage {
  struct cmsghdr header;
  char room[CMSG_SPACE(sizeof(struct ucred))];
};

// Several datagrams in one call, each into a slot of `to` of its own. What is known of each fills `message_words` of `out`;
// without credentials the last three are -1. Descriptors that someone sends are closed.
inline int64_t receive_messages(int fd, const Bytes& to, uint32_t slot, uint32_t count, int flags, const Bytes& out) {
  if (count == 0 || count > max_messages) return -EINVAL;
  if (slot == 0 || to.size / slot < count || out.size / sizeof(int32_t) / message_words < count) return -EFAULT;
  struct mmsghdr messages[max_messages];
  struct iovec parts[max_messages];
  CredentialsMessage controls[max_messages];
  memset(messages, 0, count * sizeof(messages[0]));
  for (uint32_t i = 0; i < count; i++) {
    parts[i] = {to.data + static_cast<size_t>(i) * slot, slot};
    struct msghdr& header = messages[i].msg_hdr;
    header.msg_iov = &parts[i];
    header.msg_iovlen = 1;
    header.msg_control = &controls[i];
    header.msg_controllen = sizeof(controls[i]);
  }
  const int64_t received = retry([&] { return recvmmsg(fd, messages, count, flags | MSG_CMSG_CLOEXEC, nullptr); });
  for (int64_t i = 0; i < received; i++) {
    struct msghdr& header = messages[i].msg_hdr;
    int32_t words[message_words] = {static_cast<int32_t>(messages[i].msg_len),
                                    header.msg_flags & ~MSG_CMSG_CLOEXEC, -1, -1, -1};
    for (struct cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
      if (part->cmsg_level != SOL_SOCKET) continue;
      if (part->cmsg_type == SCM_CREDENTIALS && part->cmsg_len == CMSG_LEN(sizeof(struct ucred))) {
        memcpy(words + 2, CMSG_DATA(part), sizeof(struct ucred));
      } else if (part->cmsg_type == SCM_RIGHTS) {
        for (size_t at = CMSG_LEN(0); at + sizeof(int) <= part->cmsg_len; at += sizeof(int)) {
          int descriptor;
          memcpy(&descriptor, reinterpret_cast<char*>(part) + at, sizeof(int));
          close(descriptor);
        }
      }
    }
    memcpy(out.data + i * sizeof(words), words, sizeof(words));
  }
  return received;
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

// All of `from` goes, then whatever comes next is taken: two system calls for one crossing from JavaScript. Also
// waits on a descriptor in non-blocking mode.
inline int64_t send_and_receive(int fd, const Buffer& from, const Buffer& to) {
  for (size_t sent = 0; sent < from.size;) {
    const int64_t result = retry([&] { return send(fd, from.data + sent, from.size - sent, MSG_NOSIGNAL); });
    if (result >= 0) {
      sent += static_cast<size_t>(result);
    } else if (result != -EAGAIN) {
      return result;
    } else if (const int64_t waited = poll_one(fd, POLLOUT, -1); waited < 0) {
      return waited;
    }
  }
  for (;;) {
    const int64_t result = retry([&] { return recv(fd, to.data, to.size, 0); });
    if (result != -EAGAIN) return result;
    if (const int64_t waited = poll_one(fd, POLLIN, -1); waited < 0) return waited;
  }
}

inline const struct sockaddr* sockaddr_of(const Bytes& address) {
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

// recvfrom(2): the sender's address fills `address`, zeros behind it.
inline int64_t receive_from(int fd, const Buffer& to, int flags, const Bytes& address) {
  struct sockaddr_storage from = {};
  if (address.size > sizeof(from)) return -EINVAL;
  socklen_t size = sizeof(from);
  const int64_t result =
      retry([&] { return recvfrom(fd, to.data, to.size, flags, reinterpret_cast<struct sockaddr*>(&from), &size); });
  if (result >= 0) memcpy(address.data, &from, address.size);
  return result;
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
