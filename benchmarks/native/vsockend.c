/*
 * The host's ends of the vsock benchmark: programs at Unix sockets, and the floor.
 *
 *   sink PATH BYTES            listens; answers with a byte for each BYTES that have come
 *   source PATH BYTES          listens; answers with BYTES to each byte
 *   echo PATH                  listens; sends back what comes
 *   push PATH BYTES BLOCK [NS] the floor of a device: BYTES from shared memory to a sink, BLOCK at a time; with NS it waits for a kick before
 *                              each, which another process, as a guest would, gives it every NS nanoseconds
 *   pull PATH BYTES BLOCK      likewise from a source into shared memory
 *
 * The last two say nanoseconds of their own CPU time (user and system) for a block.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 65536
/* As much memory as a guest's buffers go through. */
#define SHARED (16 << 20)

static char chunk[CHUNK];

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
	return name;
}

static void put(int fd, const char *from, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t count = send(fd, from + done, length - done, MSG_NOSIGNAL);
		if (count <= 0)
			exit(0); /* the other end is gone */
		done += count;
	}
}

static void sink(int fd, uint64_t bytes)
{
	for (uint64_t received = 0;;) {
		ssize_t count = recv(fd, chunk, sizeof chunk, 0);
		if (count <= 0)
			return;
		for (received += count; received >= bytes; received -= bytes)
			put(fd, "x", 1);
	}
}

static void source(int fd, uint64_t bytes)
{
	char byte;
	while (recv(fd, &byte, 1, 0) == 1)
		for (uint64_t left = bytes; left > 0; left -= left < CHUNK ? left : CHUNK)
			put(fd, chunk, left < CHUNK ? left : CHUNK);
}

static void echo(int fd)
{
	for (;;) {
		ssize_t count = recv(fd, chunk, sizeof chunk, 0);
		if (count <= 0)
			return;
		put(fd, chunk, count);
	}
}

static void serve(const char *what, const char *path, uint64_t bytes)
{
	struct sockaddr_un name = address(path);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&name, sizeof name) || listen(listener, 64))
		fail(path);
	printf("listening\n");
	fflush(stdout);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			fail("accept");
		if (fork() == 0) {
			if (!strcmp(what, "sink"))
				sink(fd, bytes);
			else if (!strcmp(what, "source"))
				source(fd, bytes);
			else
				echo(fd);
			_exit(0);
		}
		close(fd);
	}
}

/* A process that writes to an eventfd every so often. */
static pid_t kicks(int kick, long nanoseconds)
{
	uint64_t one = 1;
	struct timespec next;
	pid_t child = fork();
	if (child != 0)
		return child;
	for (clock_gettime(CLOCK_MONOTONIC, &next);;) {
		next.tv_nsec += nanoseconds;
		next.tv_sec += next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
		if (write(kick, &one, sizeof one) < 0)
			_exit(1);
	}
}

static void move(int is_push, const char *path, uint64_t bytes, size_t block, long nanoseconds)
{
	struct sockaddr_un name = address(path);
	struct rusage used;
	uint64_t moved = 0;
	char byte;
	int memory = memfd_create("shared", 0), fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (ftruncate(memory, SHARED) || connect(fd, (struct sockaddr *)&name, sizeof name))
		fail(path);
	char *shared = mmap(NULL, SHARED, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	if (shared == MAP_FAILED)
		fail("mmap");
	memset(shared, 1, SHARED);
	uint64_t kicked = 0;
	int kick = eventfd(0, 0);
	pid_t guest = nanoseconds > 0 ? kicks(kick, nanoseconds) : 0;
	getrusage(RUSAGE_SELF, &used);
	long long before = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000LL +
			   (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000LL;
	if (!is_push)
		put(fd, "x", 1);
	while (moved < bytes) {
		char *at = shared + moved % SHARED;
		if (guest > 0 && kicked-- == 0 && read(kick, &kicked, sizeof kicked) == sizeof kicked)
			kicked--;
		if (is_push)
			put(fd, at, block);
		else if (recv(fd, at, block, MSG_WAITALL) != (ssize_t)block)
			fail("recv");
		moved += block;
	}
	if (is_push && recv(fd, &byte, 1, 0) != 1)
		fail("recv");
	if (guest > 0)
		kill(guest, SIGKILL);
	getrusage(RUSAGE_SELF, &used);
	long long after = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000LL +
			  (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000LL;
	printf("%lld\n", (after - before) / (long long)(bytes / block));
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	uint64_t bytes = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
	size_t block = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
	long nanoseconds = argc > 5 ? strtol(argv[5], NULL, 10) : 0;
	if ((!strcmp(what, "push") || !strcmp(what, "pull")) && block > 0 && SHARED % block == 0)
		move(!strcmp(what, "push"), argv[2], bytes, block, nanoseconds);
	else if (!strcmp(what, "echo") || (bytes > 0 && (!strcmp(what, "sink") || !strcmp(what, "source"))))
		serve(what, argv[2], bytes);
	else {
		fprintf(stderr, "usage: vsockend WHAT PATH [BYTES [BLOCK [NS]]]\n");
		return 2;
	}
	return 0;
}
