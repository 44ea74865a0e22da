// The numbers of the C headers, which differ between architectures; src/constants.ts names the same ones.
#pragma once

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "kernel.h"

namespace vm_linux {

struct Constant {
  const char* name;
  int64_t value;
};

#if defined(__x86_64__)
#define NATIVE_AUDIT_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_AUDIT_ARCH AUDIT_ARCH_AARCH64
#else
#define NATIVE_AUDIT_ARCH 0
#endif

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

#define C(name) {#name, name}

inline constexpr Constant constants[] = {
    // clang-format off
    // open(2)
    C(O_RDONLY), C(O_WRONLY), C(O_RDWR), C(O_ACCMODE), C(O_CREAT), C(O_EXCL), C(O_NOCTTY), C(O_TRUNC),
    C(O_APPEND), C(O_NONBLOCK), C(O_DSYNC), C(O_SYNC), C(O_DIRECT), C(O_NOFOLLOW), C(O_DIRECTORY),
    C(O_NOATIME), C(O_CLOEXEC), C(O_PATH), C(O_TMPFILE),
    // the *at calls
    C(AT_FDCWD), C(AT_SYMLINK_NOFOLLOW), C(AT_SYMLINK_FOLLOW), C(AT_REMOVEDIR), C(AT_EMPTY_PATH),
    C(AT_NO_AUTOMOUNT), C(AT_STATX_SYNC_AS_STAT), C(AT_STATX_FORCE_SYNC), C(AT_STATX_DONT_SYNC),
    // inode(7): file type and mode bits
    C(S_IFMT), C(S_IFSOCK), C(S_IFLNK), C(S_IFREG), C(S_IFBLK), C(S_IFDIR), C(S_IFCHR), C(S_IFIFO),
    C(S_ISUID), C(S_ISGID), C(S_ISVTX),
    // statx(2): bits of the mask word
    C(STATX_TYPE), C(STATX_MODE), C(STATX_NLINK), C(STATX_UID), C(STATX_GID), C(STATX_ATIME),
    C(STATX_MTIME), C(STATX_CTIME), C(STATX_INO), C(STATX_SIZE), C(STATX_BLOCKS), C(STATX_BASIC_STATS),
    C(STATX_BTIME), C(STATX_MNT_ID),
    // fcntl(2): kinds of lock
    C(F_RDLCK), C(F_WRLCK), C(F_UNLCK),
    // lseek(2)
    C(SEEK_SET), C(SEEK_CUR), C(SEEK_END), C(SEEK_DATA), C(SEEK_HOLE),
    // renameat2(2)
    C(RENAME_NOREPLACE), C(RENAME_EXCHANGE), C(RENAME_WHITEOUT),
    // setxattr(2)
    C(XATTR_CREATE), C(XATTR_REPLACE),
    // utimensat(2): instead of nanoseconds
    C(UTIME_NOW), C(UTIME_OMIT),
    // socket(2)
    C(AF_UNSPEC), C(AF_UNIX), C(AF_INET), C(AF_INET6), C(AF_VSOCK), C(SOCK_STREAM), C(SOCK_DGRAM),
    C(SOCK_SEQPACKET), C(SOCK_NONBLOCK), C(SOCK_CLOEXEC),
    // recv(2), send(2)
    C(MSG_DONTWAIT), C(MSG_PEEK), C(MSG_WAITALL), C(MSG_WAITFORONE), C(MSG_TRUNC), C(MSG_CTRUNC), C(MSG_MORE),
    C(MSG_NOSIGNAL),
    // shutdown(2)
    C(SHUT_RD), C(SHUT_WR), C(SHUT_RDWR),
    // socket(7), tcp(7), ipv6(7): options
    C(SOL_SOCKET), C(SO_ERROR), C(SO_TYPE), C(SO_DOMAIN), C(SO_PROTOCOL), C(SO_ACCEPTCONN), C(SO_RCVBUF),
    C(SO_SNDBUF), C(SO_REUSEADDR), C(SO_REUSEPORT), C(SO_KEEPALIVE), C(SO_PASSCRED), C(SO_PEERCRED),
    C(IPPROTO_TCP), C(TCP_NODELAY), C(IPPROTO_IPV6), C(IPV6_V6ONLY),
    // poll(2)
    C(POLLIN), C(POLLPRI), C(POLLOUT), C(POLLRDHUP), C(POLLERR), C(POLLHUP), C(POLLNVAL),
    // epoll(7)
    C(EPOLL_CTL_ADD), C(EPOLL_CTL_MOD), C(EPOLL_CTL_DEL), C(EPOLLIN), C(EPOLLOUT), C(EPOLLRDHUP), C(EPOLLERR),
    C(EPOLLHUP), C(EPOLLET),
    // eventfd(2)
    C(EFD_NONBLOCK), C(EFD_SEMAPHORE),
    // splice(2)
    C(SPLICE_F_MOVE), C(SPLICE_F_NONBLOCK), C(SPLICE_F_MORE),
    // mmap(2)
    C(PROT_READ), C(PROT_WRITE),
    // seccomp(2): what a filter sees as the architecture
    C(NATIVE_AUDIT_ARCH),
    // clone(2)
    C(CLONE_THREAD), C(CLONE_NEWNS), C(CLONE_NEWCGROUP), C(CLONE_NEWUTS), C(CLONE_NEWIPC), C(CLONE_NEWUSER),
    C(CLONE_NEWPID), C(CLONE_NEWNET),
    // ioctl_tty(2)
    C(TIOCSTI), C(TIOCLINUX),
    // clang-format on
};

#undef C

}  // namespace vm_linux
