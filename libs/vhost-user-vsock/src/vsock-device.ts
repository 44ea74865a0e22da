import { EventEmitter } from 'node:events';
import { Socket } from 'node:net';
import { close } from '@vm-tools/linux';
import { type Core, localCore, threadCore } from './core-access.ts';
import type { CoreEvents } from './device-core.ts';
import {
  type ConnectErrorCode,
  GuestConnectError,
  RingError,
  VhostUserError,
  VsockDeviceError,
} from './errors.ts';
import { streamPair } from './host/unix-socket.ts';
import { type QemuLaunch, type QemuMachine, qemuArguments } from './qemu.ts';

export interface VsockDeviceOptions {
  /** The guest's address: 3 or more, and below 2^32 - 1. */
  readonly guestCid: number;
  /**
   * Does the work on a thread of its own (some 13 MB, 50 ms to start), so that the guest and QEMU go on while this one is busy.
   * Default false.
   */
  readonly thread?: boolean;
  /** How many connections the guest may have at once; default 4096. Each takes one descriptor, in process two. */
  readonly maxConnections?: number;
  /** How long the guest may take to answer, and a client of the hybrid socket to say where to. Default 10,000. */
  readonly connectTimeoutMs?: number;
}

/** The guest's end of a connection. */
export interface GuestAddress {
  readonly cid: number;
  readonly port: number;
}

/** A connection with the guest: half-open is allowed, and backpressure goes through to the guest. */
export type GuestSocket = Socket & { readonly guest: GuestAddress };

export interface ConnectOptions {
  readonly signal?: AbortSignal;
  /** Instead of the device's `connectTimeoutMs`. */
  readonly timeoutMs?: number;
}

export interface VsockDeviceEvents {
  /** A VMM has connected. */
  attached: [];
  /** The VMM went away: by itself, or because it broke the protocol. All connections are gone. */
  detached: [error: VhostUserError | undefined];
  /** The guest broke the rules of a ring, which is stopped; all connections are gone. The device waits for the guest to be reset. */
  ringError: [error: RingError];
}

/** Long enough for many round trips to share an interrupt, and too short for a guest to miss its buffers. */
const COMPLETION_MS = 2;
const HIGHEST_CID = 0xfffffffe;
const HIGHEST_PORT = 0xfffffffe;

/**
 * A virtio-vsock device for one guest of QEMU. To the guest this process is CID 2, the host, and nothing else can be
 * reached through it but what is listened on here.
 */
export class VsockDevice extends EventEmitter<VsockDeviceEvents> implements AsyncDisposable {
  readonly guestCid: number;
  readonly #core: Core;
  readonly #connectTimeoutMs: number;
  readonly #handlers = new Map<number, ((socket: GuestSocket) => void) | undefined>();
  readonly #asked = new Map<
    number,
    { port: number; resolve(socket: GuestSocket): void; reject(error: Error): void }
  >();
  #nextId = 1;
  #isAttached = false;
  #isOpen = true;
  #closing: Promise<void> | undefined;

  /** @throws {RangeError} */
  constructor(options: VsockDeviceOptions) {
    super();
    const { guestCid, thread = false, maxConnections = 4096, connectTimeoutMs = 10_000 } = options;
    if (!Number.isInteger(guestCid) || guestCid < 3 || guestCid > HIGHEST_CID)
      throw new RangeError(`guestCid is ${guestCid}: a guest has a number from 3 to ${HIGHEST_CID}`);
    this.guestCid = guestCid;
    this.#connectTimeoutMs = connectTimeoutMs;
    const settings = { guestCid, maxConnections, connectTimeoutMs, completionMs: COMPLETION_MS };
    this.#core = (thread ? threadCore : localCore)(settings, (event, ...args) => this.#on(event, args));
  }

  /** Whether a VMM is connected. */
  get isAttached(): boolean {
    return this.#isAttached;
  }

  /**
   * Serves a VMM: on a connected Unix stream socket, which is the device's from then on; or whoever connects to a path, one after the
   * other (the socket there is open to this user alone, and replaces one that nobody listens on). Rejects with a SystemError.
   */
  async attach(vmm: number | string): Promise<void> {
    this.#checkOpen();
    await (typeof vmm === 'number' ? this.#core.call('attach', vmm) : this.#core.call('attachPath', vmm));
  }

  /** Attaches one end of a socket pair, and resolves with the other: for the VMM to inherit, and for the caller to close then. */
  async plug(): Promise<number> {
    const [ours, theirs] = streamPair();
    try {
      await this.attach(ours);
      return theirs;
    } catch (error) {
      close(theirs);
      throw error;
    }
  }

  /** `plug`, and the arguments that give a QEMU with this `-M` and `-m` the device. Close it as soon as QEMU is started. */
  async spawnOptions(machine: QemuMachine = {}): Promise<QemuLaunch> {
    const fd = await this.plug();
    const { at = 3 } = machine;
    const stdio = ['ignore', 'inherit', 'inherit', ...Array<'ignore'>(at - 3).fill('ignore'), fd] as const;
    let isOpen = true;
    const closeEnd = () => {
      if (isOpen) close(fd);
      isOpen = false;
    };
    return {
      args: qemuArguments(machine, { fd: at }),
      stdio: [...stdio],
      close: closeEnd,
      [Symbol.dispose]: closeEnd,
    };
  }

  /**
   * Serves programs of this user by the hybrid convention of Firecracker: they connect to `path` and write `CONNECT <port>\n`, to reach the
   * guest; and they listen on `<path>_<port>`, to be reached by it. Rejects with a SystemError.
   */
  async serve(path: string): Promise<void> {
    this.#checkOpen();
    await this.#core.call('serve', path);
  }

  /**
   * Takes connections of the guest to a port: in process, or by joining each with a Unix socket. Resolves when it is in force, with what ends
   * it; connections live on then. Rejects with a VsockDeviceError (ERR_PORT_IN_USE) or a RangeError.
   */
  async listen(
    port: number,
    target: ((socket: GuestSocket) => void) | { readonly path: string },
  ): Promise<Disposable> {
    this.#checkOpen();
    checkPort(port);
    if (this.#handlers.has(port))
      throw new VsockDeviceError('ERR_PORT_IN_USE', `port ${port} of the device is listened on already`);
    const handler = typeof target === 'function' ? target : undefined;
    this.#handlers.set(port, handler);
    let isListening = true;
    await (typeof target === 'function'
      ? this.#core.call('listen', port)
      : this.#core.call('forward', port, target.path));
    const end = () => {
      if (!isListening || !this.#isOpen) return;
      isListening = false;
      this.#handlers.delete(port);
      void this.#core.call('unlisten', port);
    };
    return { [Symbol.dispose]: end };
  }

  /** Connects to a port of the guest. Rejects with a GuestConnectError or the signal's reason. */
  async connect(port: number, { signal, timeoutMs }: ConnectOptions = {}): Promise<GuestSocket> {
    checkPort(port);
    signal?.throwIfAborted();
    if (!this.#isOpen) throw new GuestConnectError('ERR_DEVICE_CLOSED', this.guestCid, port);
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<GuestSocket>();
    this.#asked.set(id, { port, resolve, reject });
    const onAbort = () => void this.#core.call('cancel', id);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      void this.#core.call('connect', id, port, timeoutMs ?? this.#connectTimeoutMs);
      return await promise;
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Keeps the process alive while it is open (so it is at first). */
  ref(): this {
    this.#core.ref();
    return this;
  }

  unref(): this {
    this.#core.unref();
    return this;
  }

  /** Ends the device: the VMM is disconnected, all connections are closed, sockets removed. QEMU goes on without it. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#isOpen = false;
    await this.#core.close();
    for (const [id] of this.#asked) this.#failed(id, 'ERR_DEVICE_CLOSED');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw new VsockDeviceError('ERR_DEVICE_CLOSED', 'the device is closed');
  }

  #on<E extends keyof CoreEvents>(event: E, args: CoreEvents[E]): void {
    const handle = this.#events[event] as (...args: CoreEvents[E]) => void;
    handle(...args);
  }

  readonly #events: { [E in keyof CoreEvents]: (...args: CoreEvents[E]) => void } = {
    accepted: (port, fd, guestPort) => {
      const handler = this.#handlers.get(port);
      if (handler && this.#isOpen) handler(this.#socket(fd, guestPort));
      else close(fd);
    },
    connected: (id, fd) => {
      const asked = this.#asked.get(id);
      this.#asked.delete(id);
      if (asked && this.#isOpen) asked.resolve(this.#socket(fd, asked.port));
      else {
        close(fd);
        asked?.reject(new GuestConnectError('ERR_DEVICE_CLOSED', this.guestCid, asked.port));
      }
    },
    failed: (id, code) => this.#failed(id, code),
    attached: () => {
      this.#isAttached = true;
      this.emit('attached');
    },
    detached: (reason) => {
      this.#isAttached = false;
      this.emit('detached', reason === undefined ? undefined : new VhostUserError(reason));
    },
    ringFailed: (ring, reason) => {
      this.emit('ringError', new RingError(ring, reason));
    },
  };

  #failed(id: number, code: ConnectErrorCode): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    asked?.reject(new GuestConnectError(code, this.guestCid, asked.port));
  }

  #socket(fd: number, guestPort: number): GuestSocket {
    const socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
    return Object.assign(socket, { guest: { cid: this.guestCid, port: guestPort } });
  }
}

function checkPort(port: number): void {
  if (!Number.isInteger(port) || port < 0 || port > HIGHEST_PORT)
    throw new RangeError(`port ${port}: a vsock port is a number from 0 to ${HIGHEST_PORT}`);
}
