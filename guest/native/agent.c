/*
 * First process of the test guest, and the hand of the test in it: sets the guest up, then runs programs for the host, which
 * asks by frames on a virtio-serial port. Static, no dependencies but Linux.
 *
 * A frame, all numbers little-endian: u32 length of what follows, u8 type, u32 id, payload. See src/agent-protocol.ts.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXEC = 1, STDIN = 2, STDIN_END = 3, SIGNAL = 4, POWER_OFF = 5 };
enum { READY = 16, STARTED = 17, STDOUT = 18, STDERR = 19, EXITED = 20, FAILED = 21, CREDIT = 22 };

#define HEADER 9
#define MAX_PAYLOAD (1 << 20)
#define CHUNK 65536
#define STDIN_WINDOW (256 << 10)
#define MAX_PROCESSES 64
#define AGENT_PORT "org.vm-tools.agent"

/* ---- setting up ---- */

static void say(const char *format, ...)
{
	char text[512] = "vm-tools: ";
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text + 10, sizeof text - 11, format, arguments) + 10;
	va_end(arguments);
	if (length > (int)sizeof text - 2)
		length = sizeof text - 2;
	text[length++] = '\n';
	int console = open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);
	ssize_t written = write(console < 0 ? 2 : console, text, length);
	(void)written;
	if (console >= 0)
		close(console);
}

static void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

/* The host sees the VM end and shows the console. */
#define DIE(...)                       \
	do {                           \
		say(__VA_ARGS__);      \
		power_off();           \
	} while (0)

static void mount_or_die(const char *type, const char *source, const char *target, unsigned long flags, const char *data)
{
	mkdir(target, 0755);
	if (mount(source, target, type, flags, data) && errno != EBUSY)
		DIE("mount %s on %s: %s", type, target, strerror(errno));
}

static void load_module(char *line)
{
	char *parameters = strchr(line, ' ');
	if (parameters)
		*parameters++ = 0;
	int fd = open(line, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		DIE("module %s: %s", line, strerror(errno));
	if (syscall(SYS_finit_module, fd, parameters ? parameters : "", 0) && errno != EEXIST)
		DIE("module %s: %s", line, strerror(errno));
	close(fd);
}

static void load_modules(const char *list)
{
	FILE *file = fopen(list, "re");
	char *line = NULL;
	size_t size = 0;
	if (!file)
		DIE("%s: %s", list, strerror(errno));
	for (ssize_t length; (length = getline(&line, &size, file)) > 0;) {
		if (line[length - 1] == '\n')
			line[length - 1] = 0;
		if (line[0])
			load_module(line);
	}
	free(line);
	fclose(file);
}

/* The value of NAME=value on the kernel command line, or NULL. */
static char *kernel_argument(const char *name)
{
	static char line[4096], value[PATH_MAX];
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t length = read(fd, line, sizeof line - 1);
	close(fd);
	line[length < 0 ? 0 : length] = 0;
	for (char *state, *word = strtok_r(line, " \n", &state); word; word = strtok_r(NULL, " \n", &state)) {
		size_t prefix = strlen(name);
		if (!strncmp(word, name, prefix) && word[prefix] == '=') {
			snprintf(value, sizeof value, "%s", word + prefix + 1);
			return value;
		}
	}
	return NULL;
}

/* Devices are found a little after their driver's module is loaded. */
static int appears(const char *path)
{
	for (int tries = 0; tries < 5000; tries++) {
		if (!access(path, F_OK))
			return 1;
		usleep(2000);
	}
	return 0;
}

/* Lays what the initramfs holds below /overlay, here an open folder, over the root. */
static void copy_overlay(int overlay)
{
	char *copy[] = {"/bin/busybox", "cp", "-a", ".", "/", NULL};
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		if (!fchdir(overlay))
			execv(copy[0], copy);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status)
		DIE("copying files to the root failed");
	/* A folder that holds one of the files has come with common permissions. */
	chmod("/tmp", 01777);
}

/* Makes the disk the root. */
static void enter_root(const char *device)
{
	if (!appears(device))
		DIE("no root device %s", device);
	mount_or_die("ext4", device, "/root", MS_NOATIME, NULL);
	static const char *moved[] = {"dev", "proc", "sys"};
	for (int i = 0; i < 3; i++) {
		char from[16], to[24];
		snprintf(from, sizeof from, "/%s", moved[i]);
		snprintf(to, sizeof to, "/root/%s", moved[i]);
		mkdir(to, 0755);
		if (mount(from, to, NULL, MS_MOVE, NULL))
			DIE("moving %s: %s", from, strerror(errno));
	}
	if (chdir("/root") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		DIE("entering the root: %s", strerror(errno));
}

static void interface_up(const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {0};
	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
	if (ioctl(fd, SIOCGIFFLAGS, &request) == 0) {
		request.ifr_flags |= IFF_UP;
		if (ioctl(fd, SIOCSIFFLAGS, &request))
			DIE("%s: %s", name, strerror(errno));
	}
	close(fd);
}

/* Gives the ports their names, as udev would. Returns whether the agent's is there. */
static int link_ports(void)
{
	DIR *ports = opendir("/sys/class/virtio-ports");
	int found = 0;
	if (!ports)
		return 0;
	mkdir("/dev/virtio-ports", 0755);
	for (struct dirent *entry; (entry = readdir(ports));) {
		char path[300], name[128] = "", target[300];
		snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", entry->d_name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		ssize_t length = read(fd, name, sizeof name - 1);
		close(fd);
		if (length <= 1)
			continue;
		name[length - (name[length - 1] == '\n')] = 0;
		snprintf(path, sizeof path, "/dev/virtio-ports/%s", name);
		snprintf(target, sizeof target, "../%s", entry->d_name);
		if (symlink(target, path) && errno != EEXIST)
			continue;
		found |= !strcmp(name, AGENT_PORT);
	}
	closedir(ports);
	return found;
}

static void set_up(void)
{
	mount_or_die("devtmpfs", "dev", "/dev", MS_NOSUID, NULL);
	mount_or_die("proc", "proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_or_die("sysfs", "sys", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	open("/dev/null", O_RDWR);
	open("/dev/console", O_RDWR | O_NOCTTY);
	dup(1);
	load_modules("/etc/modules.load");
	int overlay = open("/overlay", O_PATH | O_CLOEXEC);
	const char *root = kernel_argument("vmtools.root");
	if (root)
		enter_root(root);
	mount_or_die("devpts", "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "ptmxmode=0666");
	mount_or_die("tmpfs", "shm", "/dev/shm", MS_NOSUID | MS_NODEV, NULL);
	mount_or_die("tmpfs", "tmp", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
	mount_or_die("tmpfs", "run", "/run", MS_NOSUID | MS_NODEV, "mode=755");
	if (overlay >= 0) {
		copy_overlay(overlay);
		close(overlay);
	}
	interface_up("lo");
	sethostname("guest", 5);
	klogctl(8, NULL, 7);
}

/* ---- the port ---- */

static int port;
static int connected;

/* The host's end is told as open some time after the port is there; later, its closing means that nobody wants this guest. */
static void await_port(short events)
{
	struct pollfd wanted = {.fd = port, .events = events};
	poll(&wanted, 1, -1);
	if (wanted.revents & POLLHUP) {
		if (connected)
			power_off();
		usleep(1000);
	}
}

static void send_bytes(const void *data, size_t length)
{
	const char *bytes = data;
	while (length > 0) {
		ssize_t sent = write(port, bytes, length);
		if (sent < 0 && errno == EAGAIN)
			await_port(POLLOUT);
		else if (sent < 0 && errno != EINTR)
			DIE("writing to the host: %s", strerror(errno));
		else if (sent > 0) {
			bytes += sent;
			length -= sent;
		}
	}
}

static void send_frame(uint8_t type, uint32_t id, const void *payload, uint32_t length)
{
	static char frame[HEADER + CHUNK];
	uint32_t size = 5 + length;
	memcpy(frame, &size, 4);
	frame[4] = type;
	memcpy(frame + 5, &id, 4);
	memcpy(frame + HEADER, payload, length);
	send_bytes(frame, HEADER + length);
}

/* ---- processes ---- */

struct process {
	int used;
	uint32_t id;
	pid_t pid;
	int in, out, err;
	int end_of_input;
	size_t held, held_from;
	char *input;
};

static struct process processes[MAX_PROCESSES];

static struct process *find(uint32_t id)
{
	for (int i = 0; i < MAX_PROCESSES; i++)
		if (processes[i].used && processes[i].id == id)
			return &processes[i];
	return NULL;
}

static void send_failure(uint32_t id, const char *step, int error)
{
	char text[256];
	uint32_t number = error;
	memcpy(text, &number, 4);
	int length = snprintf(text + 4, sizeof text - 4, "%s: %s", step, strerror(error));
	if (length > (int)sizeof text - 5)
		length = sizeof text - 5;
	send_frame(FAILED, id, text, 4 + length);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

struct request {
	uint32_t uid, gid;
	char *directory;
	char **argv, **environment;
};

/* u32 uid, u32 gid, u16 argc, u16 envc, then directory, arguments and environment, each ending with NUL. */
static int read_request(char *payload, uint32_t length, struct request *request)
{
	uint16_t counts[2];
	if (length < 13 || payload[length - 1] != 0)
		return EINVAL;
	memcpy(&request->uid, payload, 4);
	memcpy(&request->gid, payload + 4, 4);
	memcpy(counts, payload + 8, 4);
	char *at = payload + 12, *end = payload + length;
	char **words = calloc(counts[0] + counts[1] + 2, sizeof *words);
	if (!words)
		return ENOMEM;
	request->argv = words;
	request->environment = words + counts[0] + 1;
	request->directory = at;
	at += strlen(at) + 1;
	for (int i = 0; i < counts[0] + counts[1]; i++) {
		if (at >= end) {
			free(words);
			return EINVAL;
		}
		(i < counts[0] ? request->argv : request->environment - counts[0])[i] = at;
		at += strlen(at) + 1;
	}
	if (counts[0] == 0) {
		free(words);
		return EINVAL;
	}
	return 0;
}

/* In the child: becomes the program, or tells why not. */
static void become(const struct request *request, int in, int out, int err, int report)
{
	const char *step = "setsid";
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (setsid() < 0)
		goto failed;
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	step = request->directory;
	if (chdir(request->directory))
		goto failed;
	step = "setting the user";
	if ((request->gid && (setgroups(0, NULL) || setgid(request->gid))) || (request->uid && setuid(request->uid)))
		goto failed;
	environ = request->environment;
	step = request->argv[0];
	execvp(request->argv[0], request->argv);
failed:;
	char text[256];
	uint32_t number = errno;
	memcpy(text, &number, 4);
	int length = snprintf(text + 4, sizeof text - 4, "%s: %s", step, strerror(number));
	if (length > (int)sizeof text - 5)
		length = sizeof text - 5;
	ssize_t written = write(report, text, 4 + length);
	(void)written;
	_exit(127);
}

static void start(uint32_t id, char *payload, uint32_t length)
{
	struct request request;
	struct process *process = NULL;
	for (int i = 0; i < MAX_PROCESSES && !process; i++)
		if (!processes[i].used)
			process = &processes[i];
	if (!process || find(id)) {
		send_failure(id, "64 programs run already", EAGAIN);
		return;
	}
	int error = read_request(payload, length, &request);
	if (error) {
		send_failure(id, "reading the request", error);
		return;
	}
	int fds[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
	for (int i = 0; i < 8 && !error; i += 2)
		if (pipe2(fds + i, O_CLOEXEC))
			error = errno;
	pid_t pid = error ? -1 : fork();
	if (pid == 0)
		become(&request, fds[0], fds[3], fds[5], fds[7]);
	if (pid < 0 && !error)
		error = errno;
	free(request.argv);
	close_fd(&fds[0]);
	close_fd(&fds[3]);
	close_fd(&fds[5]);
	close_fd(&fds[7]);
	char report[256];
	/* Ends at exec, for the descriptor is then closed. */
	ssize_t reported = error ? 0 : read(fds[6], report, sizeof report);
	close_fd(&fds[6]);
	if (error || reported > 0) {
		if (error)
			send_failure(id, "starting a process", error);
		else
			send_frame(FAILED, id, report, reported);
		close_fd(&fds[1]);
		close_fd(&fds[2]);
		close_fd(&fds[4]);
		return;
	}
	for (int i = 1; i < 5; i++)
		if (fds[i] >= 0)
			fcntl(fds[i], F_SETFL, O_NONBLOCK);
	*process = (struct process){.used = 1, .id = id, .pid = pid, .in = fds[1], .out = fds[2], .err = fds[4]};
	uint32_t number = pid;
	send_frame(STARTED, id, &number, 4);
}

static void close_input(struct process *process)
{
	close_fd(&process->in);
	free(process->input);
	process->input = NULL;
	process->held = 0;
}

static void feed(struct process *process)
{
	uint32_t fed = 0;
	while (process->held > 0 && process->in >= 0) {
		ssize_t written = write(process->in, process->input + process->held_from, process->held);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0 && errno == EAGAIN)
			break;
		if (written < 0) {
			/* Nobody reads it: what is held counts as taken, so that the host does not wait. */
			fed += process->held;
			close_input(process);
			break;
		}
		fed += written;
		process->held -= written;
		process->held_from += written;
	}
	if (process->held == 0)
		process->held_from = 0;
	if (fed > 0)
		send_frame(CREDIT, process->id, &fed, 4);
	if (process->held == 0 && process->end_of_input)
		close_input(process);
}

static void take_input(struct process *process, const char *payload, uint32_t length)
{
	if (process->in < 0) {
		send_frame(CREDIT, process->id, &length, 4);
		return;
	}
	if (!process->input)
		process->input = malloc(STDIN_WINDOW);
	if (process->held + length > STDIN_WINDOW || !process->input)
		DIE("the host sent more input than was granted");
	memmove(process->input, process->input + process->held_from, process->held);
	process->held_from = 0;
	memcpy(process->input + process->held, payload, length);
	process->held += length;
	feed(process);
}

/* Passes on what can be read now; returns 0 when there is no more to come. */
static int pass_output(struct process *process, int *fd, uint8_t type, int all)
{
	static char chunk[CHUNK];
	while (*fd >= 0) {
		ssize_t length = read(*fd, chunk, sizeof chunk);
		if (length > 0)
			send_frame(type, process->id, chunk, length);
		else if (length == 0 || (errno != EAGAIN && errno != EINTR))
			close_fd(fd);
		else if (errno == EAGAIN)
			return 1;
		if (!all)
			return 1;
	}
	return 0;
}

/* A program has ended when its process has: what it left in the background runs on, unheard. */
static void reap(void)
{
	int status;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
		for (int i = 0; i < MAX_PROCESSES; i++) {
			struct process *process = &processes[i];
			if (!process->used || process->pid != pid)
				continue;
			pass_output(process, &process->out, STDOUT, 1);
			pass_output(process, &process->err, STDERR, 1);
			int32_t end[2] = {WIFEXITED(status) ? WEXITSTATUS(status) : -1,
					  WIFSIGNALED(status) ? WTERMSIG(status) : 0};
			send_frame(EXITED, process->id, end, sizeof end);
			close_input(process);
			close_fd(&process->out);
			close_fd(&process->err);
			process->used = 0;
		}
	}
}

/* ---- the loop ---- */

static void handle(uint8_t type, uint32_t id, char *payload, uint32_t length)
{
	struct process *process = find(id);
	if (type == EXEC)
		start(id, payload, length);
	else if (type == POWER_OFF)
		power_off();
	else if (!process)
		return; /* it has ended in the meantime */
	else if (type == STDIN)
		take_input(process, payload, length);
	else if (type == STDIN_END) {
		process->end_of_input = 1;
		feed(process);
	} else if (type == SIGNAL && length == 4) {
		int32_t number;
		memcpy(&number, payload, 4);
		/* The session's processes too: a shell's children are what a time-out must end. */
		if (kill(-process->pid, number))
			kill(process->pid, number);
	}
}

static char received[HEADER + MAX_PAYLOAD];
static size_t received_length;

static void receive(void)
{
	ssize_t length = read(port, received + received_length, sizeof received - received_length);
	if (length < 0 && errno != EAGAIN && errno != EINTR)
		DIE("reading from the host: %s", strerror(errno));
	if (length == 0)
		power_off(); /* the host's end is closed */
	if (length < 0)
		return;
	received_length += length;
	size_t at = 0;
	while (received_length - at >= HEADER) {
		uint32_t size, id;
		memcpy(&size, received + at, 4);
		if (size < 5 || size - 5 > MAX_PAYLOAD)
			DIE("a frame of %u bytes", size);
		if (received_length - at < 4 + (size_t)size)
			break;
		memcpy(&id, received + at + 5, 4);
		handle(received[at + 4], id, received + at + HEADER, size - 5);
		at += 4 + (size_t)size;
	}
	memmove(received, received + at, received_length - at);
	received_length -= at;
}

static void serve(int signals)
{
	struct pollfd polled[2 + 3 * MAX_PROCESSES];
	for (;;) {
		polled[0] = (struct pollfd){.fd = port, .events = POLLIN};
		polled[1] = (struct pollfd){.fd = signals, .events = POLLIN};
		for (int i = 0; i < MAX_PROCESSES; i++) {
			struct process *process = &processes[i];
			int used = process->used;
			polled[2 + 3 * i] = (struct pollfd){.fd = used ? process->out : -1, .events = POLLIN};
			polled[3 + 3 * i] = (struct pollfd){.fd = used ? process->err : -1, .events = POLLIN};
			polled[4 + 3 * i] = (struct pollfd){.fd = used && process->held ? process->in : -1, .events = POLLOUT};
		}
		if (poll(polled, 2 + 3 * MAX_PROCESSES, -1) < 0)
			continue;
		for (int i = 0; i < MAX_PROCESSES; i++) {
			struct process *process = &processes[i];
			if (polled[2 + 3 * i].revents)
				pass_output(process, &process->out, STDOUT, 0);
			if (polled[3 + 3 * i].revents)
				pass_output(process, &process->err, STDERR, 0);
			if (polled[4 + 3 * i].revents)
				feed(process);
		}
		if (polled[1].revents) {
			struct signalfd_siginfo info;
			ssize_t length = read(signals, &info, sizeof info);
			(void)length;
			reap();
		}
		if (polled[0].revents)
			receive();
	}
}

/* ---- 9P over vsock ---- */

/*
 * mount9p PORT FOLDER OPTIONS: connects to the host and hands the connection to the kernel, which keeps it. Not done by the
 * first process, for a mount waits for the server.
 */
static int mount_9p(char **arguments)
{
	struct sockaddr_vm host = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = strtoul(arguments[0], NULL, 10)};
	char options[4096];
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&host, sizeof host)) {
		fprintf(stderr, "mount9p: vsock:2:%s: %s\n", arguments[0], strerror(errno));
		return 1;
	}
	snprintf(options, sizeof options, "trans=fd,rfdno=%d,wfdno=%d,%s", fd, fd, arguments[2]);
	if (mount("vsock", arguments[1], "9p", 0, options)) {
		fprintf(stderr, "mount9p: %s: %s\n", arguments[1], strerror(errno));
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (getpid() != 1) {
		if (argc == 5 && !strcmp(argv[1], "mount9p"))
			return mount_9p(argv + 2);
		fprintf(stderr, "usage: /proc/1/exe mount9p PORT FOLDER OPTIONS\n");
		return 2;
	}
	sigset_t child;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	set_up();
	for (int tries = 0; !link_ports(); tries++) {
		if (tries == 5000)
			DIE("no virtio-serial port " AGENT_PORT);
		usleep(2000);
	}
	port = open("/dev/virtio-ports/" AGENT_PORT, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (port < 0)
		DIE("/dev/virtio-ports/" AGENT_PORT ": %s", strerror(errno));
	sigprocmask(SIG_BLOCK, &child, NULL);
	struct utsname system;
	uname(&system);
	send_frame(READY, 0, system.release, strlen(system.release));
	connected = 1;
	serve(signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC));
}
