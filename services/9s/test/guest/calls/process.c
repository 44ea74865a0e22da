// A process in the guest that makes the calls its standard input asks for, one a line, and answers each with one line:
// for what Node.js lacks, and for what takes several processes. Errors are answered as -errno.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORDS = 8, MAPS = 16, POSITIONS = 8192 };

static char *words[WORDS];
static struct { char *at; size_t length; } maps[MAPS];
static DIR *directory;
static long positions[POSITIONS];
static int position_count;
static sigjmp_buf fault;

static long number(int index) { return words[index] ? strtol(words[index], NULL, 0) : 0; }
static int is(const char *word) { return strcmp(words[0], word) == 0; }
static void answer(long result) { printf("%ld\n", result == -1 ? -(long)errno : result); }
static void on_fault(int signal) { siglongjmp(fault, signal); }
static void on_alarm(int signal) { (void)signal; }

static void lock(int command, int is_query) {
  struct flock request = { .l_type = (short)number(2), .l_whence = (short)number(5), .l_start = number(3), .l_len = number(4) };
  long result = fcntl((int)number(1), command, &request);
  if (result == -1 || !is_query) return answer(result);
  if (request.l_type == F_UNLCK) { puts("free"); return; }
  printf("%s %ld %ld %s\n", request.l_type == F_RDLCK ? "read" : "write", (long)request.l_start, (long)request.l_len,
         request.l_pid == -1 ? "open file" : request.l_pid == getpid() ? "own" : request.l_pid > 0 ? "process" : "nobody");
}

/* A wait that is interrupted after a tenth of a second. */
static void interrupted_lock(int command) {
  struct sigaction action = { .sa_handler = on_alarm };
  sigaction(SIGALRM, &action, NULL);
  ualarm(100000, 0);
  lock(command, 0);
  ualarm(0, 0);
}

static void map(void) {
  for (int i = 0; i < MAPS; i++) {
    if (maps[i].at) continue;
    size_t length = (size_t)number(3);
    char *at = mmap(NULL, length, (int)number(4), (int)number(5), (int)number(1), number(2));
    if (at == MAP_FAILED) return answer(-1);
    maps[i].at = at;
    maps[i].length = length;
    return answer(i);
  }
  abort();
}

static int has_map(void) {
  if (number(1) >= 0 && maps[number(1)].at) return 1;
  puts("no mapping");
  return 0;
}

static void access_map(int is_write) {
  char *volatile at = maps[number(1)].at + number(2);
  int signal = sigsetjmp(fault, 1);
  if (signal) { puts(signal == SIGBUS ? "SIGBUS" : "SIGSEGV"); return; }
  if (is_write) {
    memcpy(at, words[3], strlen(words[3]));
    puts("0");
    return;
  }
  char copy[4096];
  long count = number(3);
  memcpy(copy, at, (size_t)count);
  for (long i = 0; i < count; i++) printf("%02x", (unsigned char)copy[i]);
  puts("");
}

static void read_directory(long count) {
  for (long i = 0; i < count; i++) {
    errno = 0;
    struct dirent *entry = readdir(directory);
    if (!entry) { printf("%s", errno ? "error " : "end "); break; }
    printf("%s ", entry->d_name);
  }
  puts("");
}

static void execute(void) {
  int fd = (int)number(1);
  if (is("open")) answer(open(words[1], (int)number(2), (int)number(3)));
  else if (is("close")) answer(close(fd));
  else if (is("dup")) answer(dup(fd));
  else if (is("set")) lock(F_SETLK, 0);
  else if (is("get")) lock(F_GETLK, 1);
  else if (is("wait")) interrupted_lock(F_SETLKW);
  else if (is("ofd-set")) lock(F_OFD_SETLK, 0);
  else if (is("ofd-get")) lock(F_OFD_GETLK, 1);
  else if (is("flock")) answer(flock(fd, (int)number(2)));
  else if (is("write")) answer(write(fd, words[2], strlen(words[2])));
  else if (is("lseek")) answer(lseek(fd, number(2), (int)number(3)));
  else if (is("get-flags")) answer(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK));
  else if (is("set-flags")) answer(fcntl(fd, F_SETFL, (int)number(2)));
  else if (is("fallocate")) answer(fallocate(fd, (int)number(2), number(3), number(4)));
  else if (is("copy")) {
    off64_t from = number(2), to = number(4);
    answer(copy_file_range(fd, &from, (int)number(3), &to, (size_t)number(5), 0));
  } else if (is("sendfile")) {
    off_t from = number(3);
    answer(sendfile(fd, (int)number(2), &from, (size_t)number(4)));
  } else if (is("sync-range")) answer(sync_file_range(fd, number(2), number(3), SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
  else if (is("advise")) answer(-posix_fadvise(fd, 0, 0, (int)number(2)));
  else if (is("syncfs")) answer(syncfs(fd));
  else if (is("mmap")) map();
  else if (is("peek") || is("poke") || is("msync") || is("munmap")) {
    if (!has_map()) return;
    if (is("peek")) access_map(0);
    else if (is("poke")) access_map(1);
    else if (is("msync")) answer(msync(maps[fd].at, maps[fd].length, (int)number(2)));
    else { answer(munmap(maps[fd].at, maps[fd].length)); maps[fd].at = NULL; }
  }
  else if (is("opendir")) { directory = opendir(words[1]); answer(directory ? 0 : -1); }
  else if (is("readdir")) read_directory(number(1));
  else if (is("tell")) { positions[position_count] = telldir(directory); answer(position_count++); }
  else if (is("seek")) { seekdir(directory, positions[number(1)]); answer(0); }
  else if (is("rewind")) { rewinddir(directory); answer(0); }
  else if (is("closedir")) answer(closedir(directory));
  else if (is("access")) answer(access(words[1], (int)number(2)));
  else if (is("remember-all")) {
    long count = 0;
    position_count = 0;
    do positions[position_count++] = telldir(directory); while (readdir(directory) && ++count < POSITIONS - 1);
    answer(count);
  } else { fprintf(stderr, "unknown: %s\n", words[0]); exit(2); }
}

int main(void) {
  static char line[8192];
  struct sigaction action = { .sa_handler = on_fault };
  sigaction(SIGBUS, &action, NULL);
  sigaction(SIGSEGV, &action, NULL);
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  while (fgets(line, sizeof line, stdin)) {
    int count = 0;
    for (char *word = strtok(line, " \n"); word && count < WORDS; word = strtok(NULL, " \n")) words[count++] = word;
    while (count < WORDS) words[count++] = NULL;
    if (!words[0]) continue;
    execute();
    fflush(stdout);
  }
  return 0;
}
