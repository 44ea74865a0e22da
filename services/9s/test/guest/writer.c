// Writes files into a folder, one after the other, until a call fails; what it writes tells file and place. At the end says
// "CALL ERRNO FILE BYTES": which call failed in which file, behind how many bytes that were written by its knowledge.
// With "read" as second argument reads a file again and again instead, and with "stat" asks for its attributes.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE = 16, CHUNK = 4096 * LINE, FILE_SIZE = 32 * CHUNK };

static char chunk[CHUNK + 1];

static int say(const char *call, long file, long bytes) {
  printf("%s %s %ld %ld\n", call, errno ? strerrorname_np(errno) : "none", file, bytes);
  return 0;
}

static int use(const char *path, int is_read) {
  int fd = open(path, O_RDONLY);
  if (fd < 0) return say("open", 0, 0);
  struct stat attributes;
  for (;;) {
    errno = 0;
    if (is_read ? pread(fd, chunk, CHUNK, 0) != CHUNK : fstat(fd, &attributes) != 0) return say(is_read ? "read" : "stat", 0, 0);
  }
}

int main(int count, char **words) {
  if (count > 2) return use(words[1], strcmp(words[2], "read") == 0);
  for (long file = 0;; file++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%ld", words[1], file);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0) return say("open", file, 0);
    for (long at = 0; at < FILE_SIZE;) {
      for (int line = 0; line < CHUNK / LINE; line++) sprintf(chunk + line * LINE, "%04lx %010lx\n", file, at + line * LINE);
      errno = 0;
      ssize_t written = write(fd, chunk, CHUNK);
      if (written < 0) return say("write", file, at);
      at += written;
      if (written < CHUNK) return say("short", file, at);
    }
    errno = 0;
    if (close(fd) < 0) return say("close", file, FILE_SIZE);
  }
}
