// Crashes in the way that its first argument names.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

static volatile int sink;
static pthread_barrier_t barrier;

static NOINLINE int crash_null(volatile int *pointer) { return *pointer; }

static NOINLINE int recurse(int depth, int (*end)(void)) {
  if (depth == 0) return end() + 1;
  return recurse(depth - 1, end) + 1;
}

static NOINLINE int null_dereference(void) { return crash_null((int *)0x18); }

static NOINLINE int overflow(int depth) {
  volatile char frame[200];
  frame[depth % 200] = (char)depth;
  return overflow(depth + 1) + frame[(depth * 7) % 200];
}

static NOINLINE int call_abort(void) { abort(); }

static NOINLINE int kill_self(void) {
  kill(getpid(), SIGSEGV);
  pause();
  return 0;
}

static NOINLINE int illegal(void) {
#if defined(__x86_64__) || defined(__i386__)
  __asm__ volatile("ud2");
#else
  __builtin_trap();
#endif
  return 0;
}

static NOINLINE int bus(void) {
  char name[] = "/tmp/vm-tools-bus-XXXXXX";
  int fd = mkstemp(name);
  unlink(name);
  if (ftruncate(fd, 4096) != 0) return 1;
  volatile char *memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return memory[4096 + 8];
}

static NOINLINE int divide(int by) { return 100 / by; }

static NOINLINE int jump_to_null(void) {
  int (*volatile function)(void) = NULL;
  return function() + 1;
}

static NOINLINE int bad_stack_pointer(void) {
#if defined(__x86_64__)
  __asm__ volatile("mov $0x10, %rsp; push %rax");
#elif defined(__i386__)
  __asm__ volatile("mov $0x10, %esp; push %eax");
#elif defined(__aarch64__)
  __asm__ volatile("mov x9, #0x10; mov sp, x9; str x0, [sp, #-16]!");
#endif
  return 0;
}

static void on_alternate_stack(int signal, siginfo_t *info, void *context) {
  (void)info, (void)context;
  sink = signal;
  recurse(3, call_abort);
}

static NOINLINE int overflow_on_alternate_stack(void) {
  stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
  sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_sigaction = on_alternate_stack, .sa_flags = SA_ONSTACK | SA_SIGINFO};
  sigaction(SIGSEGV, &action, NULL);
  return overflow(0);
}

static void *wait_for_ever(void *argument) {
  char name[16];
  snprintf(name, sizeof(name), "worker-%ld", (long)argument);
  prctl(PR_SET_NAME, name);
  pthread_barrier_wait(&barrier);
  for (;;) pause();
}

static NOINLINE int with_threads(int count, size_t megabytes) {
  // Not zero: pages of zeros are no pages.
  if (megabytes > 0) memset(malloc(megabytes << 20), 0xa5, megabytes << 20);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 65536);
  pthread_barrier_init(&barrier, NULL, count + 1);
  for (long index = 0; index < count; index++) {
    pthread_t thread;
    if (pthread_create(&thread, &attributes, wait_for_ever, (void *)index) != 0) return 1;
  }
  pthread_barrier_wait(&barrier);
  return recurse(4, null_dereference);
}

static void *crash_later(void *argument) {
  pthread_join(*(pthread_t *)argument, NULL);
  sink = recurse(4, null_dereference);
  return NULL;
}

static NOINLINE int without_leader(void) {
  static pthread_t leader, thread;
  leader = pthread_self();
  pthread_create(&thread, NULL, crash_later, &leader);
  pthread_exit(NULL);
}

static NOINLINE int many_mappings(int count) {
  for (int index = 0; index < count; index++) {
    volatile char *memory = mmap(NULL, 4096, index % 2 ? PROT_READ : PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 1;
    if (index % 2 == 0) memory[0] = 1;
  }
  return recurse(4, null_dereference);
}

static NOINLINE int sparse(void) {
  volatile char *memory = mmap(NULL, 2ull << 30, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return 1;
  for (size_t at = 0; at < 2ull << 30; at += 64 << 20) memory[at] = 1;
  return recurse(4, null_dereference);
}

static NOINLINE int system_call(void) {
#if defined(__x86_64__)
  struct { unsigned short length; void *filter; } program;
  static const unsigned char filter[][8] = {
      {0x20, 0, 0, 0, 0, 0, 0, 0},               // A = number of the call
      {0x15, 0, 0, 1, 102, 0, 0, 0},             // getuid?
      {0x06, 0, 0, 0, 0, 0, 0x03, 0},            // trap
      {0x06, 0, 0, 0, 0, 0, 0xff, 0x7f},         // allow
  };
  program.length = 4;
  program.filter = (void *)filter;
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_SECCOMP, 2, &program);
  return (int)syscall(SYS_getuid);
#else
  raise(SIGSYS);
  return 0;
#endif
}

static NOINLINE int with_libraries(int count, char **names) {
  for (int index = 0; index < count; index++) {
    if (!dlopen(names[index], RTLD_NOW)) {
      fprintf(stderr, "%s\n", dlerror());
      return 1;
    }
  }
  return recurse(4, null_dereference);
}

static NOINLINE int after_removal(const char *name) {
  unlink(name);
  return recurse(4, null_dereference);
}

static NOINLINE int after_replacement(const char *name) {
  unlink(name);
  int fd = open(name, O_WRONLY | O_CREAT, 0755);
  if (write(fd, "not the same", 12) != 12) return 1;
  close(fd);
  return recurse(4, null_dereference);
}

static NOINLINE int send_queue(void) {
  union sigval value = {.sival_ptr = (void *)0x1234};
  sigqueue(getpid(), SIGSEGV, value);
  pause();
  return 0;
}

int main(int argc, char **argv) {
  const char *how = argc > 1 ? argv[1] : "";
  const char *more = argc > 2 ? argv[2] : "";
  if (strcmp(how, "null") == 0) return recurse(5, null_dereference);
  if (strcmp(how, "deep") == 0) return recurse(5000, null_dereference);
  if (strcmp(how, "overflow") == 0) return overflow(0);
  if (strcmp(how, "alternate") == 0) return overflow_on_alternate_stack();
  if (strcmp(how, "abort") == 0) return recurse(3, call_abort);
  if (strcmp(how, "kill") == 0) return recurse(3, kill_self);
  if (strcmp(how, "sigqueue") == 0) return recurse(3, send_queue);
  if (strcmp(how, "illegal") == 0) return recurse(3, illegal);
  if (strcmp(how, "bus") == 0) return recurse(3, bus);
  if (strcmp(how, "divide") == 0) return divide(argc - 2);
  if (strcmp(how, "jump") == 0) return recurse(3, jump_to_null);
  if (strcmp(how, "bad-sp") == 0) return recurse(3, bad_stack_pointer);
  if (strcmp(how, "threads") == 0) return with_threads(atoi(more), argc > 3 ? atoi(argv[3]) : 0);
  if (strcmp(how, "leaderless") == 0) return without_leader();
  if (strcmp(how, "mappings") == 0) return many_mappings(atoi(more));
  if (strcmp(how, "sparse") == 0) return sparse();
  if (strcmp(how, "sigsys") == 0) return recurse(3, system_call);
  if (strcmp(how, "libraries") == 0) return with_libraries(argc - 2, argv + 2);
  if (strcmp(how, "removed") == 0) return after_removal(argv[0]);
  if (strcmp(how, "replaced") == 0) return after_replacement(argv[0]);
  fprintf(stderr, "how?\n");
  return 2;
}
