/*
 * A stream socket at its plainest, to compare others with: blocking calls, one buffer of 64 KiB.
 *
 *   stream serve  vsock PORT|unix PATH|hybrid PATH      one connection after the other, for ever
 *   stream send    ADDRESS BYTES                        prints the seconds that it took
 *   stream receive ADDRESS BYTES
 *   stream bounce  ADDRESS COUNT                        one byte there and back
 *   stream open    hybrid PATH COUNT                    connections, each closed before the next
 *
 * A connection begins with eight bytes: a letter ('s' the server receives to the end and answers with a byte, 'r' it sends, 'b' it
 * bounces bytes) and seven digits, of mebibytes. On a hybrid address a line CONNECT comes before, answered by OK.
 */
#include <linux/vm_sockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BUFFER 65536
#define COMMAND 8
#define MEBIBYTE (1L << 20)
#define ASK "CONNECT 1024\n"
#define ANSWER "OK 1024\n"

static char buffer[BUFFER];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static int make(const char *kind, const char *where, int listens)
{
	struct sockaddr_vm vm = { .svm_family = AF_VSOCK };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int is_vsock = !strcmp(kind, "vsock");
	struct sockaddr *address = is_vsock ? (struct sockaddr *)&vm : (struct sockaddr *)&un;
	socklen_t size = is_vsock ? sizeof vm : sizeof un;
	int fd = socket(is_vsock ? AF_VSOCK : AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		die("socket");
	vm.svm_cid = VMADDR_CID_LOCAL;
	vm.svm_port = atoi(where);
	snprintf(un.sun_path, sizeof un.sun_path, "%s", where);
	if (!listens) {
		if (connect(fd, address, size))
			die("connect");
		return fd;
	}
	if (!is_vsock)
		unlink(where);
	if (bind(fd, address, size) || listen(fd, 512))
		die("listen");
	return fd;
}

static int read_all(int fd, char *to, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t count = read(fd, to + at, size - at);
		if (count <= 0)
			return 0;
		at += count;
	}
	return 1;
}

static void write_all(int fd, long bytes)
{
	while (bytes > 0) {
		ssize_t count = write(fd, buffer, bytes < BUFFER ? bytes : BUFFER);
		if (count <= 0)
			return;
		bytes -= count;
	}
}

static long drain(int fd)
{
	long bytes = 0;
	for (ssize_t count; (count = read(fd, buffer, BUFFER)) > 0;)
		bytes += count;
	return bytes;
}

/* The line that asks a hybrid socket for a port: what follows it is not ours. */
static int shake_hands(int fd)
{
	char line[sizeof ASK];
	ssize_t size = sizeof ASK - 1;
	return recv(fd, line, size, MSG_WAITALL) == size && !memcmp(line, ASK, size) &&
	       write(fd, ANSWER, sizeof ANSWER - 1) == sizeof ANSWER - 1;
}

/* Seconds that connections take until the server has them and has said so. */
static double open_hybrid(const char *where, long count)
{
	double seconds = 0;
	char line[sizeof ANSWER];
	ssize_t size = sizeof ANSWER - 1;
	for (long i = 0; i < count; i++) {
		double start = now();
		int fd = make("hybrid", where, 0);
		if (write(fd, ASK, sizeof ASK - 1) < 0 || recv(fd, line, size, MSG_WAITALL) != size)
			die("answer");
		seconds += now() - start;
		close(fd);
	}
	return seconds;
}

static void serve_one(int fd)
{
	char command[COMMAND + 1] = "", byte;
	if (!read_all(fd, command, COMMAND))
		return;
	if (command[0] == 'r')
		write_all(fd, atol(command + 1) * MEBIBYTE);
	else if (command[0] == 's') {
		drain(fd);
		write_all(fd, 1);
	} else
		while (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1)
			;
}

static void serve(const char *kind, const char *where)
{
	int listener = make(kind, where, 1), is_hybrid = !strcmp(kind, "hybrid");
	puts("listening");
	fflush(stdout);
	for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd))
		if (!is_hybrid || shake_hands(fd))
			serve_one(fd);
	die("accept");
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 4 && !strcmp(argv[1], "serve"))
		serve(argv[2], argv[3]);
	if (argc != 5) {
		fprintf(stderr, "usage: stream serve KIND WHERE, stream send|receive|bounce|open KIND WHERE AMOUNT\n");
		return 2;
	}
	long amount = atol(argv[4]);
	if (!strcmp(argv[1], "open")) {
		printf("%.9f\n", open_hybrid(argv[3], amount));
		return 0;
	}
	int fd = make(argv[2], argv[3], 0);
	char command[32], byte = 'x';
	int is_sender = !strcmp(argv[1], "send"), is_receiver = !strcmp(argv[1], "receive");
	snprintf(command, sizeof command, "%c%07ld", is_sender ? 's' : is_receiver ? 'r' : 'b', is_receiver ? amount / MEBIBYTE : 0);
	double start = now();
	if (write(fd, command, COMMAND) != COMMAND)
		die("write");
	if (is_sender) {
		write_all(fd, amount);
		shutdown(fd, SHUT_WR);
		if (!read_all(fd, &byte, 1))
			die("answer");
	} else if (is_receiver) {
		if (drain(fd) != amount)
			die("not all of it came");
	} else
		for (long i = 0; i < amount; i++)
			if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
				die("bounce");
	printf("%.9f\n", now() - start);
	return 0;
}
