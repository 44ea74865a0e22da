import { check, close, connect, constants, send, socket } from '@vm-tools/linux';

/**
 * A socket to the service manager (sd_notify(3)): a 9s that is confined cannot connect to one any more.
 *
 * @param name as NOTIFY_SOCKET has it: a path, or `@` and an abstract name
 * @throws {SystemError} when nobody is there
 */
export function connectToServiceManager(name: string): number {
  const fd = socket(constants.AF_UNIX, constants.SOCK_DGRAM);
  try {
    connect(
      fd,
      name.startsWith('@')
        ? { family: 'unix-abstract', name: name.slice(1) }
        : { family: 'unix', path: name },
    );
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** Tells it: `READY=1`, `STATUS=...`. */
export function tell(fd: number, ...lines: readonly string[]): void {
  const bytes = Buffer.from(lines.map((line) => line.replaceAll('\n', ' ')).join('\n'));
  check(send(fd, bytes, 0, bytes.length, 0), 'send');
}
