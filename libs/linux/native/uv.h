// The few functions of libuv that watch.h and aside.h call. Their signatures and these numbers are fixed for libuv 1.x
// (https://docs.libuv.org/en/v1.x/poll.html, threading.html); handles stay opaque and are sized by uv_handle_size.
#pragma once

#include <stddef.h>

extern "C" {
typedef struct uv_loop_s uv_loop_t;
typedef struct uv_handle_s uv_handle_t;
typedef struct uv_handle_s uv_poll_t;  // a uv_poll_t starts as a uv_handle_t

size_t uv_handle_size(int type);
void uv_handle_set_data(uv_handle_t* handle, void* data);
void* uv_handle_get_data(const uv_handle_t* handle);
void uv_ref(uv_handle_t* handle);
void uv_unref(uv_handle_t* handle);
int uv_is_closing(const uv_handle_t* handle);
void uv_close(uv_handle_t* handle, void (*closed)(uv_handle_t* handle));

int uv_poll_init(uv_loop_t* loop, uv_poll_t* handle, int fd);
int uv_poll_start(uv_poll_t* handle, int events, void (*seen)(uv_poll_t* handle, int status, int events));
int uv_poll_stop(uv_poll_t* handle);

typedef unsigned long uv_thread_t;  // pthread_t of Linux
typedef struct {
  unsigned int flags;
  size_t stack_size;
} uv_thread_options_t;

// pthread_create itself is another symbol since glibc 2.34.
int uv_thread_create_ex(uv_thread_t* thread, const uv_thread_options_t* options, void (*entry)(void* argument),
                        void* argument);
int uv_thread_join(uv_thread_t* thread);
}

namespace vm_linux {
constexpr int UV_POLL = 8;        // enum uv_handle_type
constexpr int UV_READABLE = 1;    // enum uv_poll_event
constexpr int UV_WRITABLE = 2;
constexpr int UV_DISCONNECT = 4;
constexpr unsigned UV_THREAD_HAS_STACK_SIZE = 1;  // enum uv_thread_create_flags
}  // namespace vm_linux
