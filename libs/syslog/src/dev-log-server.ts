import { EventEmitter } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import * as linux from '@vm-tools/linux';
import { type DescriptorListener, listenDescriptors } from '@vm-tools/vsock';
import { DatagramReader } from './datagram-reader.ts';
import { Intake, type IntakeCounters, type IntakeOptions } from './intake.ts';
import { type ConnectionEvents, StreamReader } from './stream-reader.ts';
import { askForSenders, UnixName } from './unix-name.ts';

const { SO_TYPE, SOCK_DGRAM, SOL_SOCKET } = linux.constants;

export interface DevLogServerOptions extends IntakeOptions {
  /** Connections to stream sockets at once; more are closed at once. Default 1,024. */
  readonly maxConnections?: number;
  /** How long `close` waits for a full sink, in milliseconds. Default 2,000. */
  readonly closeMs?: number;
}

export interface DevLogCounters extends IntakeCounters {
  /** Connections that are open. */
  readonly connections: number;
  /** Connections that were closed at once, since there were too many. */
  readonly refused: number;
}

export interface DevLogListenOptions {
  /** `datagram`, which syslog(3) tries first, or `stream`. Default `datagram`. */
  readonly type?: 'datagram' | 'stream';
  /** Who may send. Default 0o666: everyone. */
  readonly mode?: number;
}

interface Events {
  /** The sink has no room: nothing is read, and the kernel makes the senders wait. */
  full: [];
  /** It has room again. */
  room: [];
  /** Something is wrong with a socket; the others go on. */
  failing: [error: Error];
}

/** Receives what programs of this machine send by syslog(3), as records. */
export class DevLogServer extends EventEmitter<Events> implements AsyncDisposable {
  readonly #intake: Intake;
  readonly #maxConnections: number;
  readonly #closeMs: number;
  readonly #names: UnixName[] = [];
  readonly #datagrams: { reader: DatagramReader; isShared: boolean }[] = [];
  readonly #listeners: DescriptorListener[] = [];
  readonly #connections = new Set<StreamReader>();
  /** Sockets that wait for the sink. */
  #waiting = 0;
  #refused = 0;
  #closed: Promise<void> | undefined;

  /** @throws RangeError maxMessageBytes */
  constructor(options: DevLogServerOptions) {
    super();
    this.#intake = new Intake(options);
    this.#maxConnections = options.maxConnections ?? 1024;
    this.#closeMs = options.closeMs ?? 2000;
  }

  get counters(): DevLogCounters {
    return { ...this.#intake.counters, connections: this.#connections.size, refused: this.#refused };
  }

  /**
   * Receives at a path as well, usually `/dev/log`. A socket there that nobody has open any more is replaced; `close` removes it.
   * @throws DevLogInUseError someone receives there; SystemError
   */
  async listen(path: string, options: DevLogListenOptions = {}): Promise<void> {
    const { type = 'datagram', mode = 0o666 } = options;
    this.#assertOpen();
    const name = new UnixName(path, type, mode);
    this.#names.push(name);
    if (type === 'datagram') this.#receive(name.fd, false);
    else await this.#accept(name.fd);
  }

  /**
   * Receives from a socket that another process has made, such as a service manager (`passedSockets` of @vm-tools/daemon): datagram, or a stream
   * socket that listens. The descriptor is the server's from then on. `close` leaves the socket's name, and what was not read yet, to the next who has it.
   * @throws SystemError ENOTSOCK and others
   */
  async adopt(fd: number): Promise<void> {
    this.#assertOpen();
    askForSenders(fd);
    if (linux.getsockopt(fd, SOL_SOCKET, SO_TYPE) === SOCK_DGRAM) this.#receive(fd, true);
    else await this.#accept(fd);
  }

  #assertOpen(): void {
    if (this.#closed !== undefined)
      throw new Error('the server has been closed: it receives nothing any more');
  }

  #receive(fd: number, isShared: boolean): void {
    const reader = new DatagramReader(fd, this.#intake, this.#events);
    this.#datagrams.push({ reader, isShared });
  }

  async #accept(fd: number): Promise<void> {
    const listener = await listenDescriptors(`unix-fd:${fd}`, {
      onConnection: (connection) => this.#connected(connection),
      onError: (error) => this.emit('failing', error),
    });
    this.#listeners.push(listener);
  }

  #connected(fd: number): void {
    if (this.#connections.size < this.#maxConnections) {
      this.#connections.add(new StreamReader(fd, this.#intake, this.#events));
    } else {
      this.#refused++;
      linux.close(fd);
    }
  }

  readonly #events: ConnectionEvents = {
    onFull: () => {
      if (this.#waiting++ === 0) this.emit('full');
    },
    onRoom: () => {
      if (--this.#waiting === 0) this.emit('room');
    },
    onError: (error) => this.emit('failing', error),
    onEnd: (reader) => this.#connections.delete(reader),
  };

  /** Stops receiving, offers what was sent until now, and gives everything back. Never rejects. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    for (const name of this.#names) name.unlink();
    // Whoever has connected already is accepted in the next turn of the event loop.
    for (let turn = 0; turn < 2 && this.#listeners.length > 0; turn++) await setImmediate();
    for (const listener of this.#listeners) listener.close();
    this.#intake.closing();
    const timer = setTimeout(() => this.#intake.abandon(), this.#closeMs);
    await Promise.all([
      ...this.#datagrams.map(({ reader, isShared }) => reader.close(isShared)),
      ...[...this.#connections].map((reader) => reader.close()),
    ]);
    clearTimeout(timer);
  }
}
