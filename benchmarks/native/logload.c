/*
 * Programs that log: N processes that each send messages to a datagram socket, as syslog(3) does, and wait when the receiver is slow.
 *
 *   logload PATH SENDERS MESSAGES BYTES     MESSAGES in all, of BYTES each
 *   logload PATH quiet MESSAGES MICROS      MESSAGES in all, one in so many microseconds
 *
 * Message i of sender s reads `<13>Mmm dd hh:mm:ss sS[PID]: I xxx...`; in place of I a quiet one has the nanoseconds of CLOCK_MONOTONIC when it is sent. One
 * line of JSON tells when all were connected and began (seconds since 1970), and the CPU time of the senders in seconds. Anything that fails ends it with
 * status 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LONGEST 65536

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double seconds(clockid_t clock)
{
	struct timespec time;
	clock_gettime(clock, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static int connected(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
		die("connect");
	return fd;
}

static void send_one(int fd, int sender, long number, int bytes)
{
	static char message[LONGEST + 1], when[32];
	if (!*when) {
		time_t at = time(NULL);
		strftime(when, sizeof when, "%b %e %H:%M:%S", localtime(&at));
	}
	int length = snprintf(message, sizeof message, "<13>%s s%d[%d]: %ld ", when, sender, getpid(), number);
	if (length < bytes)
		memset(message + length, 'x', bytes - length);
	if (send(fd, message, bytes, 0) != bytes)
		die("send");
}

static int be_quiet(const char *path, long messages, long micros)
{
	int fd = connected(path);
	for (long i = 0; i < messages; i++) {
		usleep(micros);
		send_one(fd, 0, (long)(seconds(CLOCK_MONOTONIC) * 1e9), 100);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: logload PATH SENDERS MESSAGES BYTES\n");
		return 2;
	}
	if (!strcmp(argv[2], "quiet"))
		return be_quiet(argv[1], atol(argv[3]), atol(argv[4]));
	int senders = atoi(argv[2]), bytes = atoi(argv[4]);
	long messages = atol(argv[3]);
	int ready[2], start[2];
	char byte = 0;

	if (senders < 1 || bytes < 64 || bytes > LONGEST)
		return 2;
	if (pipe(ready) || pipe(start))
		die("pipe");
	for (int sender = 0; sender < senders; sender++) {
		pid_t child = fork();
		if (child < 0)
			die("fork");
		if (child)
			continue;
		close(start[1]);
		int fd = connected(argv[1]);
		if (write(ready[1], &byte, 1) != 1)
			die("write");
		/* Everybody begins when the other end is closed. */
		if (read(start[0], &byte, 1) != 0)
			die("read");
		long own = messages / senders + (sender < messages % senders);
		for (long i = 0; i < own; i++)
			send_one(fd, sender, i, bytes);
		_exit(0);
	}
	close(ready[1]);
	for (int sender = 0; sender < senders; sender++)
		if (read(ready[0], &byte, 1) != 1)
			exit(1);
	double begun = seconds(CLOCK_REALTIME);
	close(start[1]);
	int failed = 0, status;
	while (wait(&status) > 0)
		failed |= status;
	if (failed)
		return 1;
	struct rusage usage;
	getrusage(RUSAGE_CHILDREN, &usage);
	printf("{\"begun\":%.6f,\"cpuSeconds\":%.6f}\n", begun,
	       usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
	return 0;
}
