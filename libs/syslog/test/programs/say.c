/*
 * say PROCESSES MESSAGES: so many processes at once that each log so many messages by syslog(3), with their pid. It sends to /dev/log, wherever that is.
 */
#include <stdlib.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int processes = argc > 1 ? atoi(argv[1]) : 1, messages = argc > 2 ? atoi(argv[2]) : 1;
	int start[2], status, failed = 0;
	char byte;

	if (pipe(start))
		return 1;
	for (int i = 0; i < processes; i++) {
		pid_t child = fork();
		if (child < 0)
			return 1;
		if (child)
			continue;
		close(start[1]);
		if (read(start[0], &byte, 1) != 0)
			_exit(1);
		openlog("say", LOG_PID, LOG_LOCAL3);
		for (int n = 0; n < messages; n++)
			syslog(n % 2 ? LOG_WARNING : LOG_ERR, "process %d says %d: %m", getpid(), n);
		_exit(0);
	}
	close(start[1]);
	while (wait(&status) > 0)
		failed |= status;
	return failed != 0;
}
