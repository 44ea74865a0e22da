// senders SOCKET TAG PROCESSES MESSAGES: so many processes at once send so many messages each, of 200 bytes or so, as syslog(3) does.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int send_all(const char *path, const char *tag, int process, int messages) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) return 69;
  for (int message = 0; message < messages; message++) {
    char when[32];
    char text[512];
    time_t now = time(NULL);
    strftime(when, sizeof when, "%b %e %T", localtime(&now));
    int length = snprintf(text, sizeof text, "<13>%s %s%d[%d]: message %d %0150d", when, tag, process, getpid(), message, 0);
    // A full socket makes it wait.
    if (send(fd, text, length, MSG_NOSIGNAL) != length) return 74;
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 5) return 64;
  for (int process = 0; process < atoi(argv[3]); process++) {
    pid_t pid = fork();
    if (pid < 0) return 71;
    if (pid == 0) _exit(send_all(argv[1], argv[2], process, atoi(argv[4])));
  }
  int failed = 0;
  for (int status; wait(&status) > 0;) failed |= status;
  return failed != 0;
}
