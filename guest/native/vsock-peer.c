/*
 * The guest's end of tests and benchmarks of its vsock. Static, no dependencies but Linux. PORT is one of the host's; to connect
 * elsewhere, CID:PORT.
 *
 *   talk PORT            stdin to the host, then its end; what comes back to stdout
 *   echo PORT            listens; sends back what comes, each connection in a process of its own
 *   answer PORT          listens; when the end has come, sends a pattern of as many bytes as came before it
 *   hold PORT            connects, says "open", and then how it ended: "end" or the error
 *   many PORT COUNT      COUNT connections at once, a byte there and back on each; says how many
 *   send PORT BYTES      a pattern to the host
 *   send-small PORT BYTES  the same, by a socket that buffers 32 KiB: newer Linux has no more on its way then
 *   receive PORT         says how many bytes came, and whether they are the pattern
 *   exchange PORT BYTES  both at the same time, on two connections
 *   rtt PORT COUNT       a byte there and back; says nanoseconds, one a line
 *   flow-out PORT BYTES  BYTES to the host, which answers with a byte when it has them; says nanoseconds
 *   flow-in PORT BYTES   a byte to the host, which answers with BYTES; says nanoseconds. Its socket buffers 1 MiB, as of a
 *                        program that is after throughput
 *   mount PORT FOLDER OPTIONS   mounts 9P by a socket pair that is joined with PORT
 *
 * In the last four a PORT that begins with a slash is a device: a virtio-serial port, to compare with.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 65536
/* Prime, so that no two blocks of the pattern begin alike. */
#define PATTERN 65521

static unsigned char pattern[PATTERN + BLOCK];

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerrorname_np(errno));
	exit(1);
}

static struct sockaddr_vm address(unsigned cid, const char *port)
{
	return (struct sockaddr_vm){.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = strtoul(port, NULL, 10)};
}

/* What sockets buffer of what comes in; 0: as Linux has it, 256 KiB. */
static uint64_t buffer;

static int set_buffer(int fd)
{
	if (buffer == 0)
		return 0;
	return setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MAX_SIZE, &buffer, sizeof buffer) ||
	       setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &buffer, sizeof buffer);
}

static int connected(const char *port)
{
	if (port[0] == '/') {
		int device = open(port, O_RDWR | O_CLOEXEC);
		if (device < 0)
			fail(port);
		return device;
	}
	const char *colon = strchr(port, ':');
	unsigned cid = colon ? strtoul(port, NULL, 10) : VMADDR_CID_HOST;
	struct sockaddr_vm host = address(cid, colon ? colon + 1 : port);
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || set_buffer(fd) || connect(fd, (struct sockaddr *)&host, sizeof host))
		fail("connect");
	return fd;
}

static void write_all(int fd, const void *bytes, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t count = write(fd, (const char *)bytes + done, length - done);
		if (count < 0)
			fail("write");
		done += count;
	}
}

/* Until the end of `from`. */
static void copy(int from, int to)
{
	static char block[BLOCK];
	for (;;) {
		ssize_t count = read(from, block, sizeof block);
		if (count < 0)
			fail("read");
		if (count == 0)
			return;
		write_all(to, block, count);
	}
}

static void talk(const char *port)
{
	int fd = connected(port);
	pid_t child = fork();
	if (child == 0) {
		copy(0, fd);
		shutdown(fd, SHUT_WR);
		_exit(0);
	}
	copy(fd, 1);
	waitpid(child, NULL, 0);
}

static void send_pattern(int fd, uint64_t bytes)
{
	for (uint64_t done = 0; done < bytes;) {
		size_t length = bytes - done < BLOCK ? bytes - done : BLOCK;
		write_all(fd, pattern + done % PATTERN, length);
		done += length;
	}
	shutdown(fd, SHUT_WR);
}

static void echo_all(int fd)
{
	copy(fd, fd);
}

static void answer_all(int fd)
{
	static char block[BLOCK];
	uint64_t received = 0;
	ssize_t count;
	while ((count = read(fd, block, sizeof block)) > 0)
		received += count;
	if (count < 0)
		fail("read");
	send_pattern(fd, received);
}

/* Each connection in a process of its own. */
static void serve(const char *port, void (*talk_to)(int fd))
{
	struct sockaddr_vm any = address(VMADDR_CID_ANY, port);
	int listener = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	signal(SIGCHLD, SIG_IGN);
	if (listener < 0 || bind(listener, (struct sockaddr *)&any, sizeof any) || listen(listener, 128))
		fail("listen");
	printf("listening\n");
	fflush(stdout);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			fail("accept");
		if (fork() == 0) {
			talk_to(fd);
			_exit(0);
		}
		close(fd);
	}
}

static void hold(const char *port)
{
	char byte;
	int fd = connected(port);
	printf("open\n");
	fflush(stdout);
	ssize_t count = read(fd, &byte, 1);
	printf("%s\n", count < 0 ? strerrorname_np(errno) : count == 0 ? "end" : "data");
}

static void many(const char *port, int count)
{
	struct rlimit most;
	char byte = 'x';
	int answered = 0, *fds = calloc(count, sizeof *fds);
	getrlimit(RLIMIT_NOFILE, &most);
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
	for (int i = 0; i < count; i++)
		fds[i] = connected(port);
	for (int i = 0; i < count; i++)
		write_all(fds[i], &byte, 1);
	for (int i = 0; i < count; i++)
		answered += read(fds[i], &byte, 1) == 1;
	printf("%d\n", answered);
}

static void receive_pattern(int fd)
{
	static unsigned char block[BLOCK];
	uint64_t received = 0, wrong = 0;
	for (;;) {
		ssize_t count = read(fd, block, sizeof block);
		if (count < 0)
			fail("read");
		if (count == 0)
			break;
		wrong += memcmp(block, pattern + received % PATTERN, count) != 0;
		received += count;
	}
	printf("%llu %s\n", (unsigned long long)received, wrong ? "wrong" : "right");
}

static void exchange(const char *port, uint64_t bytes)
{
	int out = connected(port), in = connected(port);
	pid_t child = fork();
	if (child == 0) {
		char byte;
		send_pattern(out, bytes);
		/* The host closes when it has all. */
		if (read(out, &byte, 1) != 0)
			fail("end");
		_exit(0);
	}
	close(out);
	receive_pattern(in);
	int status = 0;
	waitpid(child, &status, 0);
	if (status)
		exit(1);
}

static void round_trips(const char *port, int count)
{
	char byte = 'x';
	int fd = connected(port);
	for (int i = 0; i < count; i++) {
		struct timespec before, after;
		clock_gettime(CLOCK_MONOTONIC, &before);
		write_all(fd, &byte, 1);
		if (read(fd, &byte, 1) != 1)
			fail("read");
		clock_gettime(CLOCK_MONOTONIC, &after);
		printf("%lld\n",
		       (after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec - before.tv_nsec);
	}
}

static long long nanoseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void flow_out(const char *port, uint64_t bytes)
{
	char byte;
	int fd = connected(port);
	long long start = nanoseconds();
	for (uint64_t done = 0; done < bytes; done += BLOCK)
		write_all(fd, pattern, BLOCK);
	if (read(fd, &byte, 1) != 1)
		fail("read");
	printf("%lld\n", nanoseconds() - start);
}

static void flow_in(const char *port, uint64_t bytes)
{
	static char block[BLOCK];
	buffer = 1 << 20;
	int fd = connected(port);
	long long start = nanoseconds();
	write_all(fd, "x", 1);
	for (uint64_t left = bytes; left > 0;) {
		ssize_t count = read(fd, block, left < BLOCK ? left : BLOCK);
		if (count <= 0)
			fail("read");
		left -= count;
	}
	printf("%lld\n", nanoseconds() - start);
}

/* The kernel's 9P takes no device: two processes copy between it and a socket pair. */
static void mount_joined(const char *port, const char *folder, const char *more)
{
	char options[4096];
	int pair[2], device = connected(port);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		fail("socketpair");
	if (fork() == 0) {
		close(pair[0]);
		close(1);
		if (fork() == 0)
			copy(device, pair[1]);
		else
			copy(pair[1], device);
		_exit(0);
	}
	close(pair[1]);
	snprintf(options, sizeof options, "trans=fd,rfdno=%d,wfdno=%d,%s", pair[0], pair[0], more);
	if (mount("joined", folder, "9p", 0, options))
		fail("mount");
}

int main(int argc, char **argv)
{
	for (int i = 0; i < PATTERN + BLOCK; i++)
		pattern[i] = (i % PATTERN) * 31 + (i % PATTERN) / 256;
	signal(SIGPIPE, SIG_IGN);
	const char *what = argc > 2 ? argv[1] : "", *port = argc > 2 ? argv[2] : "";
	uint64_t number = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
	if (!strcmp(what, "talk"))
		talk(port);
	else if (!strcmp(what, "echo"))
		serve(port, echo_all);
	else if (!strcmp(what, "answer"))
		serve(port, answer_all);
	else if (!strcmp(what, "hold"))
		hold(port);
	else if (!strcmp(what, "many"))
		many(port, number);
	else if (!strcmp(what, "send"))
		send_pattern(connected(port), number);
	else if (!strcmp(what, "send-small")) {
		buffer = 32 << 10;
		send_pattern(connected(port), number);
	} else if (!strcmp(what, "receive"))
		receive_pattern(connected(port));
	else if (!strcmp(what, "exchange"))
		exchange(port, number);
	else if (!strcmp(what, "rtt"))
		round_trips(port, number);
	else if (!strcmp(what, "flow-out"))
		flow_out(port, number);
	else if (!strcmp(what, "flow-in"))
		flow_in(port, number);
	else if (!strcmp(what, "mount") && argc == 5)
		mount_joined(port, argv[3], argv[4]);
	else {
		fprintf(stderr, "usage: vsock-peer WHAT PORT [NUMBER]\n");
		return 2;
	}
	return 0;
}
