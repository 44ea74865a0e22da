// Memory of files as ArrayBuffers: a range of addresses is reserved once, and pieces of files come and go in it.
//
// A reservation is known by its address, so that no other ArrayBuffer can be taken for one. It ends by memory_unmap, or
// when V8 is done with the ArrayBuffer.
//
// V8 counts the size as memory that a collection could free. That was measured to cause no collections (5 GB and 1 TB, Node
// 22, 24 and 26); and to take it off by napi_adjust_external_memory makes Node 24 abort when its environment ends.
#pragma once

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "call.h"

namespace vm_linux {

struct Reservation {
  void* data;  // null once unmapped
  size_t size;
  // While it is mapped it stands in the list, and this is what points to it.
  Reservation** at;
  Reservation* next;
};

inline pthread_mutex_t reservations_lock = PTHREAD_MUTEX_INITIALIZER;
inline Reservation* reservations = nullptr;

// The reservation that starts at an address, or null.
inline Reservation* reservation_at(const void* data) {
  pthread_mutex_lock(&reservations_lock);
  Reservation* found = data == nullptr ? nullptr : reservations;
  while (found != nullptr && found->data != data) found = found->next;
  pthread_mutex_unlock(&reservations_lock);
  return found;
}

// Also takes it off the list: V8 may need long to be done with many, and whoever looks for one passes only those that are mapped.
inline void reservation_unmap(Reservation* reservation) {
  pthread_mutex_lock(&reservations_lock);
  void* data = reservation->data;
  reservation->data = nullptr;
  if (data != nullptr) {
    *reservation->at = reservation->next;
    if (reservation->next != nullptr) reservation->next->at = reservation->at;
  }
  pthread_mutex_unlock(&reservations_lock);
  if (data != nullptr) munmap(data, reservation->size);
}

// V8 is done with the ArrayBuffer.
inline void reservation_forgotten(napi_env, void*, void* hint) {
  auto* reservation = static_cast<Reservation*>(hint);
  reservation_unmap(reservation);
  free(reservation);
}

// reserve(size) -> ArrayBuffer, or a negative errno
inline napi_value memory_reserve(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  size_t argc = 1;
  int64_t size;
  if (napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr) != napi_ok || read_int64(env, argv[0], &size) != 0 ||
      size <= 0) {
    return number(env, -EINVAL);
  }
  auto* reservation = static_cast<Reservation*>(calloc(1, sizeof(Reservation)));
  if (reservation == nullptr) return number(env, -ENOMEM);
  void* data = mmap(nullptr, static_cast<size_t>(size), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) {
    const int error = errno;
    free(reservation);
    return number(env, -error);
  }
  reservation->data = data;
  reservation->size = static_cast<size_t>(size);
  pthread_mutex_lock(&reservations_lock);
  reservation->at = &reservations;
  reservation->next = reservations;
  if (reservations != nullptr) reservations->at = &reservation->next;
  reservations = reservation;
  pthread_mutex_unlock(&reservations_lock);
  napi_value buffer;
  if (napi_create_external_arraybuffer(env, data, reservation->size, reservation_forgotten, reservation, &buffer) !=
      napi_ok) {
    reservation_forgotten(env, nullptr, reservation);
    return number(env, -ENOMEM);
  }
  return buffer;
}

// An ArrayBuffer of memory_reserve.
struct Reserved {
  static constexpr size_t arity = 1;
  Reservation* reservation;

  Reserved() {}
  int read(napi_env env, const napi_value* argv) {
    void* data;
    if (napi_get_arraybuffer_info(env, argv[0], &data, nullptr) != napi_ok) return -EINVAL;
    reservation = reservation_at(data);
    return reservation == nullptr ? -EINVAL : 0;
  }
};

// A piece of a file at a place in the reservation; without a file nothing is there any more.
inline int64_t memory_map(const Reserved& reserved, int64_t at, int64_t length, int protection, int fd,
                          int64_t offset) {
  const auto size = static_cast<int64_t>(reserved.reservation->size);
  if (at < 0 || length <= 0 || at > size || length > size - at) return -EFAULT;
  const int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED;
  void* place = static_cast<char*>(reserved.reservation->data) + at;
  return mmap(place, static_cast<size_t>(length), fd < 0 ? PROT_NONE : protection, flags | MAP_FIXED, fd, offset) ==
                 MAP_FAILED
             ? -errno
             : 0;
}

// munmap(ArrayBuffer): at once, and the ArrayBuffer is empty from then on.
inline napi_value memory_unmap(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  size_t argc = 1;
  Reserved reserved;
  if (napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr) != napi_ok || reserved.read(env, argv) != 0) {
    return number(env, -EINVAL);
  }
  reservation_unmap(reserved.reservation);
  // V8 may call reservation_forgotten from here on.
  return number(env, napi_detach_arraybuffer(env, argv[0]) == napi_ok ? 0 : -EBUSY);
}

}  // namespace vm_linux
