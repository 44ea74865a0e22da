import type { Http2Session } from 'node:http2';

export interface KeepAliveOptions {
  /** After so much silence the other end is asked for a sign of life. In milliseconds; default 30,000. */
  readonly intervalMs?: number;
  /** And this is how long it has to give one. In milliseconds; default 10,000. */
  readonly timeoutMs?: number;
}

export interface KeepAliveFacts extends KeepAliveOptions {
  readonly session: Http2Session;
  /** Underneath the session. */
  readonly socket: { readonly bytesRead: number };
  /** Whether a silent connection is worth a ping now. */
  readonly isWanted: () => boolean;
  /** After three pings without an answer to anything else, ask this seldom, in milliseconds. Default: as often as ever. */
  readonly patienceMs?: number;
  /** The other end is dead, suspended, or cut off. Called at most once. */
  readonly onSilent: (silentMs: number) => void;
}

/** How many pings a gRPC server endures before it takes them for an attack. */
const ENDURED = 3;

/**
 * Asks with HTTP/2 pings whether the other end is still there. A VM that is suspended, or whose host has lost it, closes
 * nothing: its connections are only silent.
 */
export class KeepAlive implements Disposable {
  readonly #facts: KeepAliveFacts;
  readonly #intervalMs: number;
  readonly #timeoutMs: number;
  readonly #timer: NodeJS.Timeout;
  #deadline: NodeJS.Timeout | undefined;
  #ping: Promise<boolean> | undefined;
  #bytes = 0;
  #heardAt = performance.now();
  #pingedAt = 0;
  #unreturned = 0;

  constructor(facts: KeepAliveFacts) {
    this.#facts = facts;
    this.#intervalMs = facts.intervalMs ?? 30_000;
    this.#timeoutMs = facts.timeoutMs ?? 10_000;
    this.#timer = setInterval(() => this.#look(), this.#intervalMs).unref();
  }

  /** Whether nothing has been heard for as long as makes one wonder. */
  get isSilent(): boolean {
    this.#listen();
    return performance.now() - this.#heardAt > this.#intervalMs;
  }

  /** Asks now. False when there was no answer in time, or the session has ended. */
  ping(): Promise<boolean> {
    this.#ping ??= this.#sendPing().finally(() => {
      this.#ping = undefined;
    });
    return this.#ping;
  }

  /** Asks no more. */
  stop(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#deadline);
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  #look(): void {
    if (this.#listen() || !this.#facts.isWanted() || this.#isPatient()) return;
    void this.ping();
  }

  /** Whether anything came since the last time. Counted where it costs nothing: in the socket. */
  #listen(): boolean {
    const { bytesRead } = this.#facts.socket;
    if (bytesRead === this.#bytes) return false;
    this.#bytes = bytesRead;
    this.#heardAt = performance.now();
    this.#unreturned = 0;
    return true;
  }

  #isPatient(): boolean {
    const { patienceMs } = this.#facts;
    if (patienceMs === undefined || this.#unreturned < ENDURED) return false;
    return performance.now() - this.#pingedAt < patienceMs;
  }

  #sendPing(): Promise<boolean> {
    const { session, socket, onSilent } = this.#facts;
    if (session.destroyed) return Promise.resolve(false);
    this.#unreturned++;
    this.#pingedAt = performance.now();
    const { bytesRead } = socket;
    return new Promise((resolve) => {
      const settle = (isAlive: boolean) => {
        clearTimeout(this.#deadline);
        session.off('close', onClose);
        resolve(isAlive);
      };
      const onClose = () => settle(false);
      session.once('close', onClose);
      const onLate = () => {
        if (session.destroyed || socket.bytesRead !== bytesRead) return settle(!session.destroyed);
        this.stop();
        settle(false);
        onSilent(this.#intervalMs + this.#timeoutMs);
      };
      // What has come while this process itself was busy, or suspended, is read first.
      this.#deadline = setTimeout(() => setImmediate(onLate), this.#timeoutMs);
      session.ping((error) => {
        if (error) return settle(false);
        // The answer itself is a sign of life, but not one that a server counts as having been talked to.
        this.#bytes = socket.bytesRead;
        this.#heardAt = performance.now();
        settle(true);
      });
    });
  }
}
