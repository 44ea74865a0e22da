// A send(2) that may wait for long, in a thread of its own: not in libuv's pool, whose few threads every file and name look-up
// of the process needs.
//
// A Sending lives from aside_start until aside_end or, when the environment goes first (process exit, a worker that ends or
// is terminated), until its clean-up hook has shut the socket down and waited for the thread.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "call.h"
#include "uv.h"
#include "watch.h"

namespace vm_linux {

struct Sending {
  napi_env env;
  uv_thread_t thread;
  Watch* watch;         // of the eventfd by which the thread tells its end; its clean-up hook is its own
  int fd, done, flags;  // duplicates of the socket and of the eventfd
  int64_t result;
  size_t size;
  uint8_t data[];
};

constexpr size_t aside_stack = 64 * 1024;

inline void aside_run(void* data) {
  auto* sending = static_cast<Sending*>(data);
  sending->result =
      retry([&] { return send(sending->fd, sending->data, sending->size, sending->flags | MSG_NOSIGNAL); });
  const uint64_t one = 1;
  retry([&] { return write(sending->done, &one, sizeof(one)); });
}

inline void aside_free(Sending* sending) {
  if (sending->fd >= 0) close(sending->fd);
  if (sending->done >= 0) close(sending->done);
  free(sending);
}

inline void aside_cleanup(void* data) {
  auto* sending = static_cast<Sending*>(data);
  shutdown(sending->fd, SHUT_RDWR);  // ends the wait
  uv_thread_join(&sending->thread);
  aside_free(sending);
}

// No signal is taken by the thread: handlers are Node's, for its own threads.
inline int aside_spawn(Sending* sending) {
  const uv_thread_options_t options = {UV_THREAD_HAS_STACK_SIZE, aside_stack};
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  const int error = uv_thread_create_ex(&sending->thread, &options, aside_run, sending);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return error;
}

// asideStart(fd, data, start, length, flags, ended) -> external, or a negative errno
inline napi_value aside_start(napi_env env, napi_callback_info info) {
  napi_value argv[6];
  size_t argc = 6;
  int32_t fd, flags;
  napi_valuetype type;
  Buffer from;
  if (napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr) != napi_ok ||
      read_int32(env, argv[0], &fd) != 0 || read_int32(env, argv[4], &flags) != 0 ||
      napi_typeof(env, argv[5], &type) != napi_ok || type != napi_function) {
    return number(env, -EINVAL);
  }
  if (const int error = from.read(env, argv + 1)) return number(env, error);
  auto* sending = static_cast<Sending*>(malloc(sizeof(Sending) + from.size));
  if (sending == nullptr) return number(env, -ENOMEM);
  sending->env = env;
  sending->flags = flags;
  sending->size = from.size;
  if (from.size > 0) memcpy(sending->data, from.data, from.size);
  sending->fd = static_cast<int>(once([&] { return fcntl(fd, F_DUPFD_CLOEXEC, 0); }));
  sending->done = static_cast<int>(once([&] { return eventfd(0, EFD_CLOEXEC); }));
  const int watched = static_cast<int>(once([&] { return fcntl(sending->done, F_DUPFD_CLOEXEC, 0); }));
  int error = sending->fd < 0 ? sending->fd : sending->done < 0 ? sending->done : 0;
  if (error == 0) error = watch_new(env, watched, UV_READABLE, argv[5], &sending->watch);
  else if (watched >= 0) close(watched);
  if (error != 0) {
    aside_free(sending);
    return number(env, error);
  }
  napi_value external = nullptr;
  if (napi_create_external(env, sending, nullptr, nullptr, &external) != napi_ok) error = -ENOMEM;
  if (error == 0) error = aside_spawn(sending);
  if (error != 0) {
    watch_end(sending->watch);
    aside_free(sending);
    return number(env, error);
  }
  napi_add_env_cleanup_hook(env, aside_cleanup, sending);
  return external;
}

// What asideEnd takes; JavaScript calls it once, after the thread has told its end.
struct Aside {
  static constexpr size_t arity = 1;
  Sending* sending;

  Aside() {}
  int read(napi_env env, const napi_value* argv) {
    void* data;
    if (napi_get_value_external(env, argv[0], &data) != napi_ok) return -EINVAL;
    sending = static_cast<Sending*>(data);
    return 0;
  }
};

// The result of the send.
inline int64_t aside_end(const Aside& aside) {
  Sending* sending = aside.sending;
  napi_remove_env_cleanup_hook(sending->env, aside_cleanup, sending);
  uv_thread_join(&sending->thread);
  watch_end(sending->watch);
  const int64_t result = sending->result;
  aside_free(sending);
  return result;
}

}  // namespace vm_linux
