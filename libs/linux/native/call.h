// From a JavaScript call to a C one: unpacks the arguments into the parameter types of a C++ lambda and
// returns its result as a number, so that one system call is one line in the table of addon.cc.
//
// Nothing here throws: an argument of the wrong type gives -EINVAL, as the kernel would say it.
#pragma once

#include <errno.h>
#include <limits.h>
#include <node_api.h>
#include <stdint.h>
#include <string.h>

#include <tuple>
#include <type_traits>

namespace vm_linux {

// Each parameter type knows how many JavaScript arguments it takes and how to read itself from them:
// `read` returns 0 or a negative errno. Constructors are left empty on purpose: a std::tuple would
// otherwise zero the 4 KiB of every Name.

// Integers come as doubles and are taken only as they are: Node-API's own conversions would make 0 of NaN and
// wrap what is too large, and close(NaN) would close standard input.
inline int read_int64(napi_env env, napi_value value, int64_t* out) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok) return -EINVAL;
  if (!(number >= -0x1p63 && number < 0x1p63)) return -EINVAL;
  *out = static_cast<int64_t>(number);
  return static_cast<double>(*out) == number ? 0 : -EINVAL;
}

// 32 bits, signed or unsigned: 0xffffffff and -1 are the same, as they are for uid_t.
inline int read_int32(napi_env env, napi_value value, int32_t* out) {
  int64_t wide;
  if (int error = read_int64(env, value, &wide)) return error;
  *out = static_cast<int32_t>(wide);
  return wide >= INT32_MIN && wide <= UINT32_MAX ? 0 : -EINVAL;
}

// A whole typed array, of whatever element type.
struct Bytes {
  static constexpr size_t arity = 1;
  uint8_t* data;
  size_t size;
  napi_typedarray_type type;  // not set in a Part

  Bytes() {}
  char* text() const { return reinterpret_cast<char*>(data); }

  int read(napi_env env, const napi_value* argv) {
    static constexpr uint8_t width[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8, 2};
    void* first;
    if (napi_get_typedarray_info(env, argv[0], &type, &size, &first, nullptr, nullptr) != napi_ok) {
      return -EINVAL;
    }
    data = static_cast<uint8_t*>(first);
    size *= static_cast<size_t>(type) < sizeof(width) ? width[type] : 1;
    return 0;
  }
};

// Part of a typed array: (bytes, start, length).
template <int outside>
struct Part : Bytes {
  static constexpr size_t arity = 3;

  // Does not ask for the element type, which costs as much as the rest: what is counted as one byte an
  // element is never more than there is.
  int read(napi_env env, const napi_value* argv) {
    int64_t start, length;
    void* first;
    if (napi_get_typedarray_info(env, argv[0], nullptr, &size, &first, nullptr, nullptr) != napi_ok) {
      return -EINVAL;
    }
    data = static_cast<uint8_t*>(first);
    if (int error = read_int64(env, argv[1], &start)) return error;
    if (int error = read_int64(env, argv[2], &length)) return error;
    const int64_t whole = static_cast<int64_t>(size);
    if (start < 0 || length < 0 || start > whole || length > whole - start) return outside;
    data += start;
    size = static_cast<size_t>(length);
    return 0;
  }
};

// A whole typed array that has room for `least` bytes, refused as the kernel refuses a bad address if it has not.
template <size_t least>
struct Room : Bytes {
  // The element type, whose asking costs as much as the rest, is of no matter to an array of that many elements.
  int read(napi_env env, const napi_value* argv) {
    void* first;
    if (napi_get_typedarray_info(env, argv[0], nullptr, &size, &first, nullptr, nullptr) != napi_ok) {
      return -EINVAL;
    }
    data = static_cast<uint8_t*>(first);
    if (size >= least) return 0;
    if (int error = Bytes::read(env, argv)) return error;
    return size >= least ? 0 : -EFAULT;
  }
};

// Data to read or fill, refused as the kernel refuses a bad address.
using Buffer = Part<-EFAULT>;

// A path or a name as bytes: (bytes, start, length), copied because the kernel wants a NUL behind it.
struct Name {
  static constexpr size_t arity = 3;
  char text[PATH_MAX];

  Name() {}
  operator const char*() const { return text; }

  int read(napi_env env, const napi_value* argv) {
    Part<-EINVAL> part;
    if (int error = part.read(env, argv)) return error;
    if (part.size >= sizeof(text)) return -ENAMETOOLONG;
    if (part.size > 0) {
      if (memchr(part.data, 0, part.size) != nullptr) return -EINVAL;
      memcpy(text, part.data, part.size);
    }
    text[part.size] = 0;
    return 0;
  }
};

// A path as a JavaScript string, in UTF-8.
struct Path {
  static constexpr size_t arity = 1;
  char text[PATH_MAX + 8];  // beyond PATH_MAX - 1, so that a cut path is seen to be too long

  Path() {}
  operator const char*() const { return text; }

  int read(napi_env env, const napi_value* argv) {
    size_t length;
    if (napi_get_value_string_utf8(env, argv[0], text, sizeof(text), &length) != napi_ok) return -EINVAL;
    if (length >= PATH_MAX) return -ENAMETOOLONG;
    return strlen(text) == length ? 0 : -EINVAL;
  }
};

// 64 bits from a number or a bigint.
struct Wide {
  static constexpr size_t arity = 1;
  int64_t value;

  Wide() {}
  operator int64_t() const { return value; }

  int read(napi_env env, const napi_value* argv) {
    bool lossless;
    if (napi_get_value_bigint_int64(env, argv[0], &value, &lossless) == napi_ok) {
      return lossless ? 0 : -EINVAL;
    }
    return read_int64(env, argv[0], &value);
  }
};

// 32 bits from a number: a descriptor, flags, an id.
struct Word {
  static constexpr size_t arity = 1;
  int32_t value;

  Word() {}
  int read(napi_env env, const napi_value* argv) { return read_int32(env, argv[0], &value); }
};

// 64 bits from a number: an offset, a size, seconds.
struct Long {
  static constexpr size_t arity = 1;
  int64_t value;

  Long() {}
  int read(napi_env env, const napi_value* argv) { return read_int64(env, argv[0], &value); }
};

// How a parameter type of a lambda is held while the arguments are read, and handed over.
template <typename T>
struct Held {
  using type = T;
  static const T& pass(const T& held) { return held; }
};
template <>
struct Held<int> {
  using type = Word;
  static int pass(const Word& held) { return held.value; }
};
template <>
struct Held<uint32_t> {
  using type = Word;
  static uint32_t pass(const Word& held) { return static_cast<uint32_t>(held.value); }
};
template <>
struct Held<int64_t> {
  using type = Long;
  static int64_t pass(const Long& held) { return held.value; }
};

inline napi_value number(napi_env env, int64_t value) {
  napi_value result = nullptr;
  if (value == static_cast<int32_t>(value)) {
    napi_create_int32(env, static_cast<int32_t>(value), &result);
  } else {
    napi_create_int64(env, value, &result);
  }
  return result;
}

// Call<f>::invoke is the napi_callback of the function f.
template <auto function>
struct Call;

template <typename... P, int64_t (*function)(P...)>
struct Call<function> {
  template <typename T>
  using held = Held<std::remove_cv_t<std::remove_reference_t<T>>>;
  static constexpr size_t arity = (held<P>::type::arity + ... + 0);

  static napi_value invoke(napi_env env, napi_callback_info info) {
    napi_value argv[arity > 0 ? arity : 1];
    size_t argc = arity;
    if (napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr) != napi_ok) return nullptr;
    std::tuple<typename held<P>::type...> arguments;
    return number(env, std::apply(
                           [&](auto&... argument) -> int64_t {
                             const napi_value* at = argv;
                             int error = 0;
                             ((error = error != 0 ? error : argument.read(env, at),
                               at += std::remove_reference_t<decltype(argument)>::arity),
                              ...);
                             (void)at;
                             return error != 0 ? error : function(held<P>::pass(argument)...);
                           },
                           arguments));
  }
};

// The result of a system call: its value, or the negative errno.
template <typename F>
int64_t once(F call) {
  const int64_t result = call();
  return result == -1 ? -errno : result;
}

// The same, called anew when a signal came between.
template <typename F>
int64_t retry(F call) {
  for (;;) {
    const int64_t result = once(call);
    if (result != -EINTR) return result;
  }
}

}  // namespace vm_linux
