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
  /** Connected to it, where that had to be early. */
  #connection: number | undefined;

  /** Takes NOTIFY_SOCKET, and removes it from the environment: children do not speak for us. */
  constructor(env: NodeJS.ProcessEnv = process.env) {
    this.#socket = env['NOTIFY_SOCKET'] || undefined;
    delete env['NOTIFY_SOCKET'];
  }

  /**
   * Connects now: for a process that cannot later, since it confines itself. What is told from now on goes this way.
   *
   * @returns the descriptor, undefined when nobody asked; for `adopt` in the program that the process is about to become
   * @throws as `notify`
   */
  async connect(): Promise<number | undefined> {
    if (this.#connection === undefined && this.#socket !== undefined) {
      this.#connection = await connectTo(this.#socket);
    }
    return this.#connection;
  }

  /** Tells by a descriptor that `connect` gave, before the process became this program. Undefined: nobody asked. */
  adopt(connection: number | undefined): void {
    this.#connection = connection;
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
    const socket = this.#socket;
    if (lines.length === 0 || (socket === undefined && this.#connection === undefined)) return;
    const { check, close, send } = await import('@vm-tools/linux');
    const fd = this.#connection ?? (await connectTo(socket as string));
    try {
      const bytes = Buffer.from(lines.join('\n'));
      check(send(fd, bytes, 0, bytes.length, 0), 'send', socket === undefined ? {} : { address: socket });
    } finally {
      if (fd !== this.#connection) close(fd);
    }
  }
}

/** Node has no datagram sockets of Unix; who is not asked does not load what has them. */
async function connectTo(address: string): Promise<number> {
  const { close, connect, constants, socket } = await import('@vm-tools/linux');
  const fd = socket(constants.AF_UNIX, constants.SOCK_DGRAM);
  try {
    connect(fd, notifyAddress(address));
    return fd;
  } catch (error) {
    close(fd);
    throw error;
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
