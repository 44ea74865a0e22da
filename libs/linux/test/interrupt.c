// Preloaded into a program, lets a signal interrupt, as it seems, every second of the addon's system calls: they fail
// with EINTR and do nothing; connect does its work, as the real one does in the background. Ends by printing which
// calls were interrupted to descriptor 2.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>
#include <time.h>

static int from_addon(void* caller) {
  Dl_info info;
  return dladdr(caller, &info) != 0 && strstr(info.dli_fname, "linux.node") != NULL;
}

#define CALL(type, name, params, args, before)                                   \
  static int name##_count;                                                       \
  type name params {                                                             \
    type(*real) params = (type(*) params)dlsym(RTLD_NEXT, #name);                \
    if (from_addon(__builtin_return_address(0)) && name##_count++ % 2 == 0) {    \
      before;                                                                    \
      errno = EINTR;                                                             \
      return -1;                                                                 \
    }                                                                            \
    return real args;                                                            \
  }

CALL(int, openat64, (int d, const char* n, int f, mode_t m), (d, n, f, m), )
CALL(ssize_t, pread64, (int fd, void* b, size_t n, off_t at), (fd, b, n, at), )
CALL(ssize_t, pwrite64, (int fd, const void* b, size_t n, off_t at), (fd, b, n, at), )
CALL(int, fstatfs64, (int fd, struct statfs64* s), (fd, s), )
CALL(int, utimensat, (int d, const char* n, const struct timespec t[2], int f), (d, n, t, f), )
CALL(int, fchownat, (int d, const char* n, uid_t u, gid_t g, int f), (d, n, u, g, f), )
CALL(int, mkdirat, (int d, const char* n, mode_t m), (d, n, m), )
CALL(int, symlinkat, (const char* t, int d, const char* n), (t, d, n), )
CALL(int, linkat, (int a, const char* o, int b, const char* n, int f), (a, o, b, n, f), )
CALL(int, unlinkat, (int d, const char* n, int f), (d, n, f), )
CALL(ssize_t, readlinkat, (int d, const char* n, char* b, size_t s), (d, n, b, s), )
CALL(ssize_t, recv, (int fd, void* b, size_t n, int f), (fd, b, n, f), )
CALL(ssize_t, sendmsg, (int fd, const struct msghdr* m, int f), (fd, m, f), )
CALL(int, accept4, (int fd, struct sockaddr* a, socklen_t* n, int f), (fd, a, n, f), )
CALL(int, poll, (struct pollfd* p, nfds_t n, int t), (p, n, t), )
CALL(int, connect, (int fd, const struct sockaddr* a, socklen_t n), (fd, a, n), real(fd, a, n))
CALL(long, syscall, (long n, long a, long b, long c, long d, long e, long f), (n, a, b, c, d, e, f), )

__attribute__((destructor)) static void report(void) {
#define COUNT(name) \
  if (name##_count > 0) dprintf(2, "%s ", #name)
  COUNT(openat64); COUNT(pread64); COUNT(pwrite64); COUNT(fstatfs64); COUNT(utimensat); COUNT(fchownat);
  COUNT(mkdirat); COUNT(symlinkat); COUNT(linkat); COUNT(unlinkat); COUNT(readlinkat); COUNT(recv);
  COUNT(sendmsg); COUNT(accept4); COUNT(poll); COUNT(connect); COUNT(syscall);
}
