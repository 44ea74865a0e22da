import { close, send } from '@vm-tools/linux';
import type { ConnectErrorCode } from './errors.ts';
import { Acceptor } from './host/acceptor.ts';
import { Handshake } from './host/handshake.ts';
import { Ports } from './host/ports.ts';
import { streamPair } from './host/unix-socket.ts';
import type { Connection } from './packets/connection.ts';
import { PacketSwitch } from './packets/packet-switch.ts';
import { Poller } from './poller.ts';
import { Session } from './vhost-user/session.ts';

/** Clients of the hybrid socket that have not said yet where they want to go. */
const MAX_HANDSHAKES = 256;

export interface CoreOptions {
  readonly guestCid: number;
  readonly maxConnections: number;
  /** For the first line of a client of the hybrid socket, and for the guest's answer to a connection. */
  readonly connectTimeoutMs: number;
  /** See PacketSwitchOptions. */
  readonly completionMs: number;
}

/** What the device tells its owner; all of it can be sent to another thread. Descriptors are the owner's. */
export interface CoreEvents {
  /** The guest has connected to a port that is listened on in process. */
  accepted: [port: number, fd: number, guestPort: number];
  /** A connection that was asked for by `connect` has come about. */
  connected: [id: number, fd: number, hostPort: number];
  failed: [id: number, code: ConnectErrorCode];
  attached: [];
  /** The VMM went away; what was wrong, if anything was. */
  detached: [reason: string | undefined];
  /** The guest broke the rules of a ring. */
  ringFailed: [ring: 'rx' | 'tx', reason: string];
}

export type CoreListener = <E extends keyof CoreEvents>(event: E, ...args: CoreEvents[E]) => void;

/** The device on the thread that does its work. Its owner hears of events in another turn of the event loop's microtasks. */
export class DeviceCore {
  readonly #options: CoreOptions;
  readonly #tell: CoreListener;
  readonly #poller: Poller;
  readonly #ports: Ports;
  readonly #packets: PacketSwitch;
  readonly #handshakes = new Set<Handshake>();
  /** Connections to the guest that it has not answered, with their time-outs. */
  readonly #asked = new Map<Connection, NodeJS.Timeout>();
  /** The same, of those that `connect` has asked for. */
  readonly #byId = new Map<number, Connection>();
  #session: Session | undefined;
  #vmms: Acceptor | undefined;
  #clients: Acceptor | undefined;
  #continuation: NodeJS.Immediate | undefined;
  #isOpen = true;

  constructor(options: CoreOptions, listener: CoreListener) {
    this.#options = options;
    this.#tell = (event, ...args) => queueMicrotask(() => listener(event, ...args));
    this.#poller = new Poller(() => this.settle());
    this.#ports = new Ports({
      onAccepted: (port, fd, guestPort) => this.#tell('accepted', port, fd, guestPort),
      onOpened: (connection, fd) => {
        this.#packets.opened(connection, fd);
        this.settle();
      },
    });
    this.#packets = new PacketSwitch({
      guestCid: options.guestCid,
      maxConnections: options.maxConnections,
      completionMs: options.completionMs,
      poller: this.#poller,
      hostSide: this.#ports,
      tellGuest: (ring) => this.#session?.interrupt(ring),
      onRingError: (error) => {
        this.#session?.ringFailed(error);
        this.#tell('ringFailed', error.ring, error.reason);
      },
    });
  }

  /** Is given a VMM's socket, non-blocking. @throws SystemError */
  attach(fd: number): void {
    this.#session = new Session(fd, {
      guestCid: this.#options.guestCid,
      poller: this.#poller,
      packets: this.#packets,
      onEnd: (error) => {
        this.#session = undefined;
        this.#tell('detached', error?.reason);
        if (this.#isOpen) this.#vmms?.resume();
      },
    });
    this.#tell('attached');
    this.settle();
  }

  /** Listens for VMMs, of which it serves one after the other. @throws SystemError */
  attachPath(path: string): void {
    this.#vmms?.close();
    this.#vmms = new Acceptor(path, this.#poller, (fd) => {
      this.attach(fd);
      return false;
    });
    this.#vmms.resume();
  }

  /** Serves other programs by the hybrid convention. @throws SystemError */
  serve(path: string): void {
    this.#clients?.close();
    this.#clients = new Acceptor(path, this.#poller, (fd) => {
      this.#greet(fd);
      return true;
    });
    this.#ports.prefix = path;
  }

  /** Tells of connections of the guest to a port by `accepted`. */
  listen(port: number): void {
    this.#ports.set(port, null);
  }

  /** Joins connections of the guest to a port with a Unix socket. */
  forward(port: number, path: string): void {
    this.#ports.set(port, path);
  }

  unlisten(port: number): void {
    this.#ports.unset(port);
  }

  /** Connects to a port of the guest; `connected` or `failed` tells of it by the id. */
  connect(id: number, port: number, timeoutMs: number): void {
    const failed = (code: ConnectErrorCode) => this.#tell('failed', id, code);
    const refused = this.#whyNotNow();
    if (refused) {
      failed(refused);
      return;
    }
    let pair: [number, number];
    try {
      pair = streamPair();
    } catch {
      failed('EMFILE');
      return;
    }
    const connection = this.#dial(port, pair[0], timeoutMs, (code) => {
      this.#byId.delete(id);
      if (code === undefined) {
        this.#tell('connected', id, pair[1], connection.hostPort);
        return;
      }
      close(pair[1]);
      failed(code);
    });
    this.#byId.set(id, connection);
    this.settle();
  }

  /** Is not interested in a connection any more, if it has not come about. */
  cancel(id: number): void {
    const connection = this.#byId.get(id);
    if (connection) this.#packets.reset(connection);
    this.settle();
  }

  /** Does what there is to do, without waiting. */
  settle(): void {
    clearImmediate(this.#continuation);
    this.#continuation = undefined;
    if (!this.#isOpen || !this.#packets.work()) return;
    // Others on this thread have their turn, the VMM's messages among them.
    this.#continuation = setImmediate(() => this.#poller.run());
  }

  /** What is ready is told now, not when the event loop comes to it. */
  poll(): void {
    this.#poller.run();
  }

  get connections(): number {
    return this.#packets.connections.size;
  }

  ref(): void {
    this.#poller.ref();
  }

  unref(): void {
    this.#poller.unref();
  }

  /** Closes everything. Twice does no harm. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearImmediate(this.#continuation);
    this.#vmms?.close();
    this.#clients?.close();
    for (const handshake of this.#handshakes) handshake.close();
    this.#session?.close();
    this.#packets.forget();
    this.#ports.close();
    this.#poller.close();
  }

  #whyNotNow(): ConnectErrorCode | undefined {
    if (!this.#packets.isUp) return 'ENODEV';
    return this.#packets.isFull ? 'EMFILE' : undefined;
  }

  #greet(fd: number): void {
    if (this.#handshakes.size >= MAX_HANDSHAKES) {
      close(fd);
      return;
    }
    const handshake = new Handshake(fd, {
      poller: this.#poller,
      timeoutMs: this.#options.connectTimeoutMs,
      onEnd: (request) => {
        this.#handshakes.delete(handshake);
        if (request) this.#connectClient(request.port, request.fd);
      },
    });
    this.#handshakes.add(handshake);
  }

  #connectClient(port: number, fd: number): void {
    if (this.#whyNotNow()) {
      close(fd);
      return;
    }
    const connection = this.#dial(port, fd, this.#options.connectTimeoutMs, (code) => {
      if (code !== undefined) return;
      const answer = Buffer.from(`OK ${connection.hostPort}\n`);
      send(fd, answer, 0, answer.length, 0);
    });
  }

  #dial(
    port: number,
    fd: number,
    timeoutMs: number,
    onAnswer: (code: 'ECONNREFUSED' | 'ECONNRESET' | 'ETIMEDOUT' | undefined) => void,
  ): Connection {
    const answered = (code: Parameters<typeof onAnswer>[0]) => {
      clearTimeout(this.#asked.get(connection));
      this.#asked.delete(connection);
      onAnswer(code);
    };
    const connection = this.#packets.dial(port, fd, answered);
    const late = () => {
      connection.onAnswer = () => answered('ETIMEDOUT');
      this.#packets.reset(connection);
      this.settle();
    };
    this.#asked.set(connection, setTimeout(late, timeoutMs));
    return connection;
  }
}
