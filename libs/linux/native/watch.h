// A descriptor watched by the event loop of the calling thread (uv_poll).
//
// It watches a duplicate of the descriptor: libuv ends the process when one that it watches was closed.
//
// A Watch lives from watch_new until libuv has closed its handle. It is closed by watch_end or, whichever comes
// first, by the clean-up hook of its environment (process exit, a worker that ends or is terminated).
// JavaScript holds it as an external value and must not use it after watch_close or watch_take: src/watch.ts sees to that.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "call.h"
#include "custody.h"
#include "uv.h"

namespace vm_linux {

struct Watch {
  napi_env env;
  uv_poll_t* poll;
  napi_ref callback;
  napi_async_cleanup_hook_handle hook;
  int fd;
};

inline void watch_closed(uv_handle_t* poll) {
  auto* watch = static_cast<Watch*>(uv_handle_get_data(poll));
  if (watch->hook != nullptr) napi_remove_async_cleanup_hook(watch->hook);
  free(watch);
  free(poll);
}

// Ends it but for its descriptor, which libuv has done with.
inline void watch_stop(Watch* watch) {
  napi_delete_reference(watch->env, watch->callback);
  uv_close(watch->poll, watch_closed);
}

inline void watch_end(Watch* watch) {
  if (uv_is_closing(watch->poll)) return;
  watch_stop(watch);
  close(watch->fd);  // at once, for the file to end when its owner closes it
}

inline void watch_cleanup(napi_async_cleanup_hook_handle, void* watch) {
  watch_end(static_cast<Watch*>(watch));
}

// A descriptor in error stops the poll with a negative status, which does not say which error it is: reported as
// everything at once, it makes the owner's next call on the descriptor fail and tell.
inline void watch_seen(uv_poll_t* poll, int status, int events) {
  auto* watch = static_cast<Watch*>(uv_handle_get_data(poll));
  napi_env env = watch->env;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value callback, receiver;
  napi_value argument = number(env, status < 0 ? UV_READABLE | UV_WRITABLE | UV_DISCONNECT : events);
  if (argument != nullptr && napi_get_reference_value(env, watch->callback, &callback) == napi_ok &&
      napi_get_global(env, &receiver) == napi_ok &&
      napi_make_callback(env, nullptr, receiver, callback, 1, &argument, nullptr) == napi_pending_exception) {
    napi_value exception;
    if (napi_get_and_clear_last_exception(env, &exception) == napi_ok) napi_fatal_exception(env, exception);
  }
  napi_close_handle_scope(env, scope);
}

// 0 events: watches nothing for now.
inline int watch_start(uv_poll_t* poll, int events) {
  return events == 0 ? uv_poll_stop(poll) : uv_poll_start(poll, events, watch_seen);
}

// Watches `own` itself, which is the watch's from now on, also when it fails.
inline int watch_new(napi_env env, int own, int events, napi_value callback, Watch** out) {
  uv_loop_t* loop = nullptr;
  auto* watch = static_cast<Watch*>(calloc(1, sizeof(Watch)));
  auto* poll = static_cast<uv_poll_t*>(calloc(1, uv_handle_size(UV_POLL)));
  const bool memory = watch != nullptr && poll != nullptr && napi_get_uv_event_loop(env, &loop) == napi_ok;
  const int error = own < 0 ? own : !memory ? -ENOMEM : uv_poll_init(loop, poll, own);
  if (error != 0) {
    if (own >= 0) close(own);
    free(watch);
    free(poll);
    return error;
  }
  watch->env = env;
  watch->poll = poll;
  watch->fd = own;
  uv_handle_set_data(poll, watch);
  if (napi_create_reference(env, callback, 1, &watch->callback) != napi_ok ||
      napi_add_async_cleanup_hook(env, watch_cleanup, watch, &watch->hook) != napi_ok) {
    watch_end(watch);
    return -ENOMEM;
  }
  const int started = watch_start(poll, events);
  if (started != 0) watch_end(watch);
  *out = watch;
  return started;
}

// watch(fd, events, callback) -> external, or a negative errno
inline napi_value watch_open(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  size_t argc = 3;
  int32_t fd, events;
  napi_valuetype type;
  if (napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr) != napi_ok ||
      read_int32(env, argv[0], &fd) != 0 || read_int32(env, argv[1], &events) != 0 ||
      napi_typeof(env, argv[2], &type) != napi_ok || type != napi_function) {
    return number(env, -EINVAL);
  }
  const int own = static_cast<int>(once([&] { return fcntl(fd, F_DUPFD_CLOEXEC, 0); }));
  Watch* watch;
  if (const int error = watch_new(env, own, events, argv[2], &watch)) return number(env, error);
  napi_value external = nullptr;
  if (napi_create_external(env, watch, nullptr, nullptr, &external) == napi_ok) return external;
  watch_end(watch);
  return number(env, -ENOMEM);
}

// What the other calls of a watch take first.
struct Open {
  static constexpr size_t arity = 1;
  Watch* watch;

  Open() {}
  int read(napi_env env, const napi_value* argv) {
    void* data;
    if (napi_get_value_external(env, argv[0], &data) != napi_ok) return -EINVAL;
    watch = static_cast<Watch*>(data);
    return 0;
  }
};

inline int64_t watch_update(const Open& open, int events) { return watch_start(open.watch->poll, events); }

inline int64_t watch_ref(const Open& open, int on) {
  on != 0 ? uv_ref(open.watch->poll) : uv_unref(open.watch->poll);
  return 0;
}

inline int64_t watch_fd(const Open& open) { return open.watch->fd; }

inline int64_t watch_close(const Open& open) {
  watch_end(open.watch);
  return 0;
}

// The descriptor, in custody; the watch is at its end.
inline int64_t watch_take(const Keeper& keeper, const Open& open) {
  watch_stop(open.watch);
  return keeper.keep(open.watch->fd);
}

}  // namespace vm_linux
