// Tries to get out, from whichever thread it is called in: by system calls alone, as code would that took a server over.
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <node_api.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char inside[4096], outside[4096];  // folders

static const char* in(const char* folder, const char* name) {
  static _Thread_local char path[2][4200];
  static _Thread_local int turn;
  turn = !turn;
  snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
  return path[turn];
}

static long opened(const char* path, int flags) {
  const int fd = open(path, flags, 0600);
  return fd < 0 ? -1 : close(fd);
}

static long forked(void) {
  const long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  return child < 0 ? -1 : (waitpid(child, NULL, 0), 0);
}

static long sent(void) {
  int pair[2];
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0) return -1;
  const long result = sendto(pair[0], "x", 1, MSG_DONTWAIT, (struct sockaddr*)&name, sizeof(name));
  const int why = errno;
  close(pair[0]);
  close(pair[1]);
  errno = why;
  return result;
}

static char* const none[] = {NULL};
static char byte;
static struct iovec here = {&byte, 1};

#define ATTEMPTS(TRY)                                                                                   \
  /* What may be done, to see that the rest is refused for good reason */                               \
  TRY(readInside, opened(in(inside, "file"), O_RDONLY))                                                 \
  TRY(listInside, opened(inside, O_RDONLY | O_DIRECTORY))                                               \
  TRY(writeInside, opened(in(inside, "file"), O_WRONLY))                                                \
  TRY(chmodInside, chmod(in(inside, "file"), 0600))                                                     \
  TRY(makeDeviceInside, mknod(in(inside, "null"), S_IFCHR | 0600, makedev(1, 3)))                       \
  /* Files */                                                                                           \
  TRY(read, opened("/etc/passwd", O_RDONLY))                                                            \
  TRY(readByProc, opened("/proc/self/root/etc/passwd", O_RDONLY))                                       \
  TRY(readDotDot, opened(in(inside, "../outside/file"), O_RDONLY))                                      \
  TRY(readProcess, opened("/proc/1/status", O_RDONLY))                                                  \
  TRY(list, opened("/", O_RDONLY | O_DIRECTORY))                                                        \
  TRY(write, opened(in(outside, "file"), O_WRONLY))                                                     \
  TRY(create, opened(in(outside, "new"), O_WRONLY | O_CREAT))                                           \
  TRY(createInTmp, opened("/tmp", O_WRONLY | O_TMPFILE))                                                \
  TRY(link, link(in(outside, "file"), in(inside, "stolen")))                                            \
  TRY(linkOut, link(in(inside, "file"), in(outside, "planted")))                                        \
  TRY(rename, rename(in(outside, "moved"), in(inside, "moved")))                                        \
  TRY(unlink, unlink(in(outside, "removed")))                                                           \
  TRY(mkdir, mkdir(in(outside, "made"), 0700))                                                          \
  TRY(symlink, symlink("/", in(outside, "symlink")))                                                    \
  TRY(byHandle, syscall(SYS_open_by_handle_at, AT_FDCWD, &byte, O_RDONLY))                              \
  /* Programs and processes */                                                                          \
  TRY(execve, execve("/bin/true", none, none))                                                          \
  TRY(execveat, syscall(SYS_execveat, AT_FDCWD, "/bin/true", none, none, 0))                            \
  TRY(fork, forked())                                                                                   \
  TRY(clone3, syscall(SYS_clone3, NULL, 0))                                                             \
  TRY(ptrace, ptrace(PTRACE_ATTACH, getppid(), 0, 0))                                                   \
  TRY(readMemory, process_vm_readv(getppid(), &here, 1, &here, 1, 0))                                   \
  TRY(signal, kill(getppid(), 0))                                                                       \
  TRY(pidfd, syscall(SYS_pidfd_open, getppid(), 0))                                                     \
  TRY(limit, prlimit(getppid(), RLIMIT_CORE, NULL, NULL))                                               \
  TRY(setuid, syscall(SYS_setuid, getuid()))                                                            \
  TRY(terminalInput, ioctl(0, TIOCSTI, "x"))                                                            \
  /* Sockets */                                                                                         \
  TRY(socketInet, socket(AF_INET, SOCK_STREAM, 0))                                                      \
  TRY(socketUnix, socket(AF_UNIX, SOCK_STREAM, 0))                                                      \
  TRY(socketNetlink, socket(AF_NETLINK, SOCK_RAW, 0))                                                   \
  TRY(socketPair, socketpair(AF_UNIX, SOCK_DGRAM, 0, (int[2]){0}))                                      \
  TRY(connect, connect(0, NULL, 0))                                                                     \
  TRY(bind, bind(0, NULL, 0))                                                                           \
  TRY(send, sent())                                                                                     \
  /* Namespaces, mounts, the kernel */                                                                  \
  TRY(unshare, unshare(CLONE_NEWNS))                                                                    \
  TRY(setns, setns(0, 0))                                                                               \
  TRY(cloneNamespace, syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0))                          \
  TRY(mount, syscall(SYS_mount, "none", inside, "tmpfs", 0, NULL))                                      \
  TRY(fsopen, syscall(SYS_fsopen, "tmpfs", 0))                                                          \
  TRY(openTree, syscall(SYS_open_tree, AT_FDCWD, "/", 0))                                               \
  TRY(chroot, chroot("/"))                                                                              \
  TRY(pivotRoot, syscall(SYS_pivot_root, "/", "/"))                                                     \
  TRY(bpf, syscall(SYS_bpf, 0, NULL, 0))                                                                \
  TRY(perf, syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0))                                             \
  TRY(userfaultfd, syscall(SYS_userfaultfd, 0))                                                         \
  TRY(ioUring, syscall(SYS_io_uring_setup, 1, NULL))                                                    \
  TRY(keys, syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0))                    \
  TRY(module, syscall(SYS_init_module, NULL, 0, NULL))                                                  \
  TRY(kexec, syscall(SYS_kexec_load, 0, 0, NULL, 0))                                                    \
  TRY(reboot, syscall(SYS_reboot, 0, 0, 0, NULL))                                                       \
  TRY(sharedMemory, syscall(SYS_shmget, 1, 0, 0))                                                       \
  TRY(callOfTomorrow, syscall(470, NULL, 0, 0))

#define NAME(name, call) #name,
static const char* const names[] = {ATTEMPTS(NAME)};
enum { COUNT = sizeof(names) / sizeof(names[0]) };

struct run {
  int errors[COUNT];
  napi_deferred deferred;
  napi_async_work work;
};

static void* attempt_all(void* data) {
  int* error = ((struct run*)data)->errors;
#define TRY(name, call)                 \
  errno = 0;                            \
  *error++ = (call) == -1 ? errno : 0;
  ATTEMPTS(TRY)
  return NULL;
}

static napi_value result_of(napi_env env, const struct run* run) {
  napi_value object, value;
  napi_create_object(env, &object);
  for (int i = 0; i < COUNT; i++) {
    napi_create_int32(env, run->errors[i], &value);
    napi_set_named_property(env, object, names[i], value);
  }
  return object;
}

static napi_value here_and_now(napi_env env, napi_callback_info info) {
  (void)info;
  struct run run;
  attempt_all(&run);
  return result_of(env, &run);
}

static napi_value in_new_thread(napi_env env, napi_callback_info info) {
  (void)info;
  struct run run;
  pthread_t thread;
  if (pthread_create(&thread, NULL, attempt_all, &run) != 0) return NULL;
  pthread_join(thread, NULL);
  return result_of(env, &run);
}

static void in_pool(napi_env env, void* data) {
  (void)env;
  attempt_all(data);
}

static void after_pool(napi_env env, napi_status status, void* data) {
  (void)status;
  struct run* run = data;
  napi_resolve_deferred(env, run->deferred, result_of(env, run));
  napi_delete_async_work(env, run->work);
  free(run);
}

static napi_value in_pool_thread(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value promise, name;
  struct run* run = calloc(1, sizeof(*run));
  napi_create_promise(env, &run->deferred, &promise);
  napi_create_string_utf8(env, "attempts", NAPI_AUTO_LENGTH, &name);
  napi_create_async_work(env, NULL, name, in_pool, after_pool, run, &run->work);
  napi_queue_async_work(env, run->work);
  return promise;
}

static napi_value set_folders(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value arguments[2];
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  napi_get_value_string_utf8(env, arguments[0], inside, sizeof(inside), NULL);
  napi_get_value_string_utf8(env, arguments[1], outside, sizeof(outside), NULL);
  return NULL;
}

NAPI_MODULE_INIT() {
  const struct {
    const char* name;
    napi_callback call;
  } calls[] = {{"setFolders", set_folders},
               {"hereAndNow", here_and_now},
               {"inNewThread", in_new_thread},
               {"inPoolThread", in_pool_thread}};
  for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
    napi_value function;
    napi_create_function(env, calls[i].name, NAPI_AUTO_LENGTH, calls[i].call, NULL, &function);
    napi_set_named_property(env, exports, calls[i].name, function);
  }
  return exports;
}
