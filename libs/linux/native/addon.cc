// The table of calls of @vm-tools/linux. One line is one system call: its name, its parameters as JavaScript
// passes them (call.h says how) and what is done. CALL retries after a signal; ONCE does not.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "aside.h"
#include "call.h"
#include "confine.h"
#include "constants.h"
#include "custody.h"
#include "descriptor.h"
#include "epoll.h"
#include "identity.h"
#include "kernel.h"
#include "memory.h"
#include "socket.h"
#include "stat.h"
#include "system_calls.h"
#include "vsock.h"
#include "watch.h"

namespace vm_linux {
namespace {

struct Entry {
  const char* name;
  napi_callback invoke;
};

#define DOES(name, parameters, value) {name, Call<+[] parameters -> int64_t { return value; }>::invoke}
#define CALL(name, parameters, call) DOES(name, parameters, retry([&] { return call; }))
#define ONCE(name, parameters, call) DOES(name, parameters, once([&] { return call; }))

using str = const Name&;
using path_t = const Path&;
using buf = const Buffer&;
using all = const Bytes&;
using stat_t = const StatRoom&;
using wide = const Wide&;
using u32 = uint32_t;
using i64 = int64_t;

const Entry calls[] = {
    // Descriptors
    CALL("openat", (int dir, str name, int flags, u32 mode), openat(dir, name, flags | O_CLOEXEC, mode)),
    DOES("openatStat", (int dir, str name, int flags, stat_t out), open_and_stat(dir, name, flags, out)),
    DOES("reopen", (int fd, int flags), reopen(fd, flags)),
    DOES("reopenIn", (int descriptors, int fd, int flags), reopen_in(descriptors, fd, flags)),
    DOES("close", (const Keeper& keeper, int fd), keeper.end(fd)),
    CALL("dup", (int fd), fcntl(fd, F_DUPFD_CLOEXEC, 0)),
    DOES("dup3", (int fd, int onto), replace_descriptor(fd, onto)),
    CALL("getFlags", (int fd), fcntl(fd, F_GETFL)),
    DOES("setNonblocking", (int fd, int on), set_nonblocking(fd, on)),
    DOES("setCloseOnExec", (int fd, int on), set_close_on_exec(fd, on)),
    CALL("read", (int fd, buf to), read(fd, to.data, to.size)),
    CALL("write", (int fd, buf from), write(fd, from.data, from.size)),
    ONCE("eventfd", (u32 initial, int flags), eventfd(initial, flags | EFD_CLOEXEC)),
    DOES("pipe", (all out), pair(out, [](int* fds) { return pipe2(fds, O_CLOEXEC); })),
    CALL("setPipeSize", (int fd, int size), fcntl(fd, F_SETPIPE_SZ, size)),
    CALL("splice", (int from, int to, i64 length, u32 flags), splice(from, nullptr, to, nullptr, length, flags)),
    ONCE("umask", (u32 mask), umask(mask)),

    // Descriptors in custody
    DOES("keptSocket", (const Keeper& keeper, int domain, int type, int protocol),
         keeper.keep(once([&] { return socket(domain, type | SOCK_CLOEXEC, protocol); }))),
    DOES("keptSocketpair", (const Keeper& keeper, int domain, int type, all out),
         keeper.keep_pair(out, pair(out, [=](int* fds) { return socketpair(domain, type | SOCK_CLOEXEC, 0, fds); }))),
    DOES("keptAccept", (const Keeper& keeper, int fd, int flags),
         keeper.keep(retry([&] { return accept4(fd, nullptr, nullptr, flags | SOCK_CLOEXEC); }))),
    DOES("keptOpenat", (const Keeper& keeper, int dir, str name, int flags, u32 mode),
         keeper.keep(retry([&] { return openat(dir, name, flags | O_CLOEXEC, mode); }))),
    DOES("letGo", (const Keeper& keeper, int fd), keeper.let_go(fd)),

    // Files
    CALL("pread", (int fd, buf to, i64 position), pread(fd, to.data, to.size, position)),
    CALL("pwrite", (int fd, buf from, i64 position), pwrite(fd, from.data, from.size, position)),
    CALL("lseek", (int fd, wide offset, int whence), lseek(fd, offset, whence) == -1 ? -1 : 0),
    CALL("fsync", (int fd), fsync(fd)),
    CALL("fdatasync", (int fd), fdatasync(fd)),
    CALL("ftruncate", (int fd, i64 size), ftruncate(fd, size)),
    CALL("truncate", (path_t path, i64 size), truncate(path, size)),
    CALL("fchmod", (int fd, u32 mode), fchmod(fd, mode)),
    CALL("chmod", (path_t path, u32 mode), chmod(path, mode)),
    DOES("ofdSetLock", (int fd, int type, wide start, wide length), set_lock(fd, type, start, length)),
    DOES("ofdGetLock", (int fd, int type, wide start, wide length, all out),
         get_lock(fd, type, start, length, out)),

    // Metadata
    DOES("fstat", (int fd, stat_t out), stat_descriptor(fd, out)),
    DOES("fstatat", (int dir, str name, int flags, stat_t out), stat_name(dir, name, flags, out)),
    DOES("statx", (int dir, str name, int flags, stat_t out), statx_name(dir, name, flags, out)),
    DOES("fstatfs", (int fd, const StatFsRoom& out), statfs_descriptor(fd, out)),
    CALL("fchownat", (int dir, str name, u32 uid, u32 gid, int flags), fchownat(dir, name, uid, gid, flags)),
    DOES("utimensat", (int dir, str name, i64 atime, i64 atimeNsec, i64 mtime, i64 mtimeNsec, int flags),
         set_times(dir, name, {{atime, atimeNsec}, {mtime, mtimeNsec}}, flags)),

    // Directories and names
    CALL("getdents64", (int fd, buf to), kernel_getdents64(fd, to.data, to.size)),
    CALL("readlinkat", (int dir, str name, buf to), readlinkat(dir, name, to.text(), to.size)),
    CALL("mkdirat", (int dir, str name, u32 mode), mkdirat(dir, name, mode)),
    CALL("mknodat", (int dir, str name, u32 mode, u32 major, u32 minor),
         kernel_mknodat(dir, name, mode, makedev(major, minor))),
    CALL("symlinkat", (str target, int dir, str name), symlinkat(target, dir, name)),
    CALL("linkat", (int from, str old, int to, str name, int flags), linkat(from, old, to, name, flags)),
    CALL("renameat2", (int from, str old, int to, str name, u32 flags),
         kernel_renameat2(from, old, to, name, flags)),
    CALL("unlinkat", (int dir, str name, int flags), unlinkat(dir, name, flags)),

    // Extended attributes
    CALL("getxattr", (path_t path, str name, all to), getxattr(path, name, to.data, to.size)),
    CALL("listxattr", (path_t path, all to), listxattr(path, to.text(), to.size)),
    CALL("setxattr", (path_t path, str name, buf value, int flags),
         setxattr(path, name, value.data, value.size, flags)),
    CALL("removexattr", (path_t path, str name), removexattr(path, name)),

    // Sockets
    ONCE("socket", (int domain, int type, int protocol), socket(domain, type | SOCK_CLOEXEC, protocol)),
    DOES("socketpair", (int domain, int type, all out),
         pair(out, [=](int* fds) { return socketpair(domain, type | SOCK_CLOEXEC, 0, fds); })),
    ONCE("bind", (int fd, buf address), bind(fd, sockaddr_of(address), static_cast<socklen_t>(address.size))),
    DOES("connect", (int fd, buf address), connect_to(fd, address)),
    ONCE("listen", (int fd, int backlog), listen(fd, backlog)),
    CALL("accept", (int fd, int flags), accept4(fd, nullptr, nullptr, flags | SOCK_CLOEXEC)),
    CALL("recv", (int fd, buf to, int flags), recv(fd, to.data, to.size, flags)),
    CALL("send", (int fd, buf from, int flags), send(fd, from.data, from.size, flags | MSG_NOSIGNAL)),
    DOES("exchange", (int fd, buf from, buf to), send_and_receive(fd, from, to)),
    DOES("sendv", (int fd, all buffer, const Ranges& ranges, u32 count, int flags),
         send_ranges(fd, buffer, ranges, count, flags)),
    DOES("recvv", (int fd, all buffer, const Ranges& ranges, u32 count, int flags),
         receive_ranges(fd, buffer, ranges, count, flags)),
    DOES("sendmsg", (int fd, buf from, int flags, all descriptors, u32 count),
         send_descriptors(fd, from, flags, descriptors, count)),
    DOES("recvmsg", (int fd, buf to, int flags, all descriptors), receive_descriptors(fd, to, flags, descriptors)),
    DOES("recvmmsg", (int fd, all to, u32 slot, u32 count, int flags, all out),
         receive_messages(fd, to, slot, count, flags, out)),
    CALL("sendto", (int fd, buf from, int flags, all address),
         sendto(fd, from.data, from.size, flags | MSG_NOSIGNAL, sockaddr_of(address),
                static_cast<socklen_t>(address.size))),
    DOES("recvfrom", (int fd, buf to, int flags, all address), receive_from(fd, to, flags, address)),
    ONCE("shutdown", (int fd, int how), shutdown(fd, how)),
    DOES("poll", (int fd, int events, int timeout), poll_one(fd, events, timeout)),
    DOES("getsockname", (int fd, all out),
         address_of(out, [=](auto... to) { return getsockname(fd, to...); })),
    DOES("getpeername", (int fd, all out),
         address_of(out, [=](auto... to) { return getpeername(fd, to...); })),
    DOES("getsockopt", (int fd, int level, int name, all out), get_option(fd, level, name, out)),
    DOES("setsockopt", (int fd, int level, int name, int value), set_option(fd, level, name, value)),
    ONCE("setsockoptBytes", (int fd, int level, int name, all value),
         setsockopt(fd, level, name, value.data, static_cast<socklen_t>(value.size))),
    DOES("vsockLocalCid", (int fd), vsock_local_cid(fd)),
    DOES("parseIp", (int family, path_t text, all out), parse_ip(family, text, out)),
    DOES("formatIp", (int family, all address, all out), format_ip(family, address, out)),

    // Who the thread is
    DOES("setfsuid", (u32 uid), set_file_id(SYS_setfsuid, uid)),
    DOES("setfsgid", (u32 gid), set_file_id(SYS_setfsgid, gid)),
    DOES("setThreadGroups", (all groups), set_thread_groups(groups)),

    // Confinement
    DOES("noNewPrivileges", (int on), set_no_new_privileges(on)),
    DOES("landlockCreateRuleset", (all attributes, u32 flags), landlock_create_ruleset(attributes, flags)),
    DOES("landlockAddRule", (int ruleset, int type, all attributes, u32 flags),
         landlock_add_rule(ruleset, type, attributes, flags)),
    DOES("landlockRestrictSelf", (int ruleset, u32 flags), landlock_restrict_self(ruleset, flags)),
    DOES("seccompFilter", (all program, u32 flags), seccomp_filter(program, flags)),
    DOES("execve", (path_t path, all argv, all envp), execute(path, argv, envp)),

    // Memory
    DOES("pageOffset", (all bytes), static_cast<int64_t>(reinterpret_cast<uintptr_t>(bytes.data) & 4095)),
    {"reserve", memory_reserve},
    DOES("mmap", (const Reserved& memory, i64 at, i64 length, int protection, int fd, i64 offset),
         memory_map(memory, at, length, protection, fd, offset)),
    {"munmap", memory_unmap},

    // Readiness
    ONCE("epollCreate", (int flags), epoll_create1(flags | EPOLL_CLOEXEC)),
    DOES("epollControl", (int epoll, int operation, int fd, u32 events, u32 token),
         epoll_change(epoll, operation, fd, events, token)),
    DOES("epollWait", (int epoll, all out, int timeout), epoll_ready(epoll, out, timeout)),

    // Calls in a thread of their own
    {"asideStart", aside_start},
    DOES("asideEnd", (const Aside& aside), aside_end(aside)),

    // Watches on the event loop
    {"watchOpen", watch_open},
    DOES("watchUpdate", (const Open& watch, int events), watch_update(watch, events)),
    DOES("watchRef", (const Open& watch, int on), watch_ref(watch, on)),
    DOES("watchFd", (const Open& watch), watch_fd(watch)),
    DOES("watchTake", (const Keeper& keeper, const Open& watch), watch_take(keeper, watch)),
    DOES("watchClose", (const Open& watch), watch_close(watch)),
};

// A table of names and numbers, as one object.
template <typename Row, size_t count>
bool export_numbers(napi_env env, napi_value exports, const char* name, const Row (&rows)[count],
                    int64_t Row::*number_of) {
  napi_value numbers;
  if (napi_create_object(env, &numbers) != napi_ok) return false;
  for (const Row& row : rows) {
    napi_value value = number(env, row.*number_of);
    if (napi_set_named_property(env, numbers, row.name, value) != napi_ok) return false;
  }
  return napi_set_named_property(env, exports, name, numbers) == napi_ok;
}

bool export_all(napi_env env, napi_value exports) {
  if (!custody_open(env)) return false;
  for (const Entry& call : calls) {
    napi_value function;
    if (napi_create_function(env, call.name, NAPI_AUTO_LENGTH, call.invoke, nullptr, &function) != napi_ok ||
        napi_set_named_property(env, exports, call.name, function) != napi_ok) {
      return false;
    }
  }
  return export_numbers(env, exports, "constants", constants, &Constant::value) &&
         export_numbers(env, exports, "systemCalls", system_calls, &SystemCall::number);
}

}  // namespace
}  // namespace vm_linux

NAPI_MODULE_INIT() { return vm_linux::export_all(env, exports) ? exports : nullptr; }
