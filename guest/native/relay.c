/*
 * relay SOCKET: joins a TCP connection, its stdin and stdout, with a Unix stream socket, until either ends. QEMU's user
 * network starts one for each connection that a guest makes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct way {
	int from, to;
	size_t length, done;
	char bytes[256 << 10];
};

static struct way ways[2];

/* QEMU writes small pieces without TCP_NODELAY: each delayed acknowledgement would cost 40 ms. */
static void acknowledge_at_once(int fd)
{
	int on = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

/* 1: go on, 0: one side has ended. */
static int advance(struct way *way, short readable)
{
	if (way->length == 0 && readable) {
		ssize_t got = recv(way->from, way->bytes, sizeof way->bytes, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
			return 0;
		if (got < 0)
			return 1;
		way->length = got;
		way->done = 0;
		acknowledge_at_once(way->from);
	}
	if (way->length > 0) {
		ssize_t put = send(way->to, way->bytes + way->done, way->length, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (put < 0)
			return errno == EAGAIN || errno == EINTR;
		way->done += put;
		way->length -= put;
	}
	return 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int on = 1, unix_socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path) {
		fprintf(stderr, "usage: relay SOCKET\n");
		return 2;
	}
	strcpy(address.sun_path, argv[1]);
	if (connect(unix_socket, (struct sockaddr *)&address, sizeof address)) {
		fprintf(stderr, "relay: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	setsockopt(STDIN_FILENO, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	acknowledge_at_once(STDIN_FILENO);
	ways[0].from = ways[1].to = STDIN_FILENO; /* stdout is the same socket */
	ways[0].to = ways[1].from = unix_socket;
	for (;;) {
		struct pollfd polled[2] = {{.fd = STDIN_FILENO}, {.fd = unix_socket}};
		for (int i = 0; i < 2; i++) {
			if (ways[i].length == 0)
				polled[i].events |= POLLIN;
			else
				polled[!i].events |= POLLOUT;
		}
		/* A hang-up is told whether asked for or not; it can wait for what must be sent first. */
		for (int i = 0; i < 2; i++)
			if (!polled[i].events)
				polled[i].fd = -1;
		if (poll(polled, 2, -1) < 0 && errno != EINTR)
			return 1;
		for (int i = 0; i < 2; i++)
			if (!advance(&ways[i], polled[i].revents & (POLLIN | POLLHUP | POLLERR)))
				return 0;
	}
}
