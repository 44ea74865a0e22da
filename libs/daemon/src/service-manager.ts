/** What the service manager can be told; see sd_notify(3). */
export interface ServiceState {
  /** The service has started up. */
  readonly ready?: boolean;
  /** It is about to end. */
  readonly stopping?: boolean;
  /** A line for humans: what `systemctl status` shows. */
  readonly status?: string;
}

/** Whoever started this process and wants to know how it is: systemd, or anything else that speaks sd_notify. */
export class ServiceManager {
  readonly #socket: string | undefined;

  /** Takes NOTIFY_SOCKET, and removes it from the environment: children do not speak for us. */
  constructor(env: NodeJS.ProcessEnv = process.env) {
    this.#socket = env['NOTIFY_SOCKET'] || undefined;
    delete env['NOTIFY_SOCKET'];
  }

  /**
   * Resolves when it was told, and at once when nobody asked.
   *
   * @throws {Error} with `code` when it cannot be told: ECONNREFUSED, ENOENT, EACCES, ERR_NOTIFY_SOCKET
   */
  async notify(state: ServiceState): Promise<void> {
    const lines = [
      state.ready ? 'READY=1' : '',
      state.stopping ? 'STOPPING=1' : '',
      state.status === undefined ? '' : `STATUS=${state.status.replaceAll('\n', ' ')}`,
    ].filter((line) => line !== '');
    if (this.#socket === undefined || lines.length === 0) return;
    // Node has no datagram sockets of Unix; who is not asked does not load what has them.
    const linux = await import('@vm-tools/linux');
    const { AF_UNIX, SOCK_DGRAM } = linux.constants;
    const fd = linux.socket(AF_UNIX, SOCK_DGRAM);
    try {
      linux.connect(fd, notifyAddress(this.#socket));
      const bytes = Buffer.from(lines.join('\n'));
      linux.check(linux.send(fd, bytes, 0, bytes.length, 0), 'send', { address: this.#socket });
    } finally {
      linux.close(fd);
    }
  }
}

function notifyAddress(
  text: string,
): { family: 'unix'; path: string } | { family: 'unix-abstract'; name: string } {
  if (text.startsWith('/')) return { family: 'unix', path: text };
  if (text.startsWith('@')) return { family: 'unix-abstract', name: text.slice(1) };
  const error = new Error(`NOTIFY_SOCKET is ${JSON.stringify(text)}: only /path and @name are understood`);
  throw Object.assign(error, { code: 'ERR_NOTIFY_SOCKET' });
}
