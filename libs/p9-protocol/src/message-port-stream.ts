import type { DuplexLike } from './byte-stream.ts';

/** The part of a MessagePort that is used; those of browsers and of node:worker_threads have it. */
export interface MessagePortLike {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  addEventListener(type: string, listener: (event: object) => void): void;
  start(): void;
  close(): void;
}

/** Bytes under way in one direction at which `write` asks to wait. Both ends must mean the same. */
const WINDOW = 256 * 1024;
/** Bytes taken before the other end is told: less than WINDOW, or it would wait for ever. */
const REPORT_FROM = WINDOW / 4;

/**
 * A byte stream over a message channel: between a page and its workers, two workers, or Node threads. Each end of the channel is to be made a
 * stream, in the same version; the port is the stream's then.
 *
 * No more than about 256 KiB are under way in one direction: `write` says `false` beyond that, and `drain` comes when the other end has taken them, not
 * when they were posted. Bytes are copied once, into a buffer that moves to the other thread.
 *
 * A browser may not tell when the thread at the other end is gone: whoever terminates a worker destroys the stream to it.
 */
export function messagePortStream(port: MessagePortLike): DuplexLike {
  return new MessagePortStream(port);
}

/** What is posted: bytes; how many bytes were taken; that no more will come; that the stream is given up. */
type Posted = Uint8Array | number | 'end' | 'close';

type Listener = (value?: never) => void;

class MessagePortStream implements DuplexLike {
  readonly #port: MessagePortLike;
  readonly #listeners = new Map<string, Listener[]>();
  /** Received and not handed out: a paused stream's. */
  #received: (Uint8Array | 'end' | 'close')[] = [];
  #isPaused = false;
  #isDelivering = false;
  /** Written and not taken by the other end. */
  #underWay = 0;
  #needsDrain = false;
  /** Taken and not reported. */
  #taken = 0;
  #hasEnded = false;
  #peerHasEnded = false;
  #isPeerGone = false;
  #isDestroyed = false;

  constructor(port: MessagePortLike) {
    this.#port = port;
    port.addEventListener('message', (event) => this.#receive((event as { data: Posted }).data));
    port.addEventListener('messageerror', () => {
      this.destroy(new Error('a message on the port could not be read'));
    });
    // Where there is this event, it comes behind all messages.
    port.addEventListener('close', () => this.#receive('close'));
  }

  on(event: string, listener: Listener | ((chunk: Uint8Array) => void) | ((error: Error) => void)): this {
    const listeners = this.#listeners.get(event) ?? [];
    listeners.push(listener as Listener);
    this.#listeners.set(event, listeners);
    // What was posted before waits in the port.
    if (event === 'data') this.#port.start();
    return this;
  }

  write(bytes: Uint8Array, sent?: () => void): boolean {
    if (this.#isDestroyed || this.#hasEnded) return false;
    if (sent !== undefined) queueMicrotask(sent);
    if (this.#isPeerGone) return true;
    const copy = new Uint8Array(bytes);
    this.#underWay += copy.length;
    this.#port.postMessage(copy, [copy.buffer]);
    this.#needsDrain ||= this.#underWay >= WINDOW;
    return !this.#needsDrain;
  }

  end(sent?: () => void): void {
    if (sent !== undefined) queueMicrotask(sent);
    if (this.#isDestroyed || this.#hasEnded) return;
    this.#hasEnded = true;
    this.#post('end');
    this.#closeIfOver();
  }

  destroy(error?: Error): void {
    if (this.#isDestroyed) return;
    this.#post('close');
    this.#close(error);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    queueMicrotask(() => this.#deliver());
  }

  #post(message: Posted): void {
    this.#port.postMessage(message, []);
  }

  #receive(data: Posted): void {
    if (this.#isDestroyed) return;
    if (typeof data === 'number') {
      this.#drained(data);
    } else if (ArrayBuffer.isView(data) || data === 'end' || data === 'close') {
      // Nobody will take what is written: who waits for that must go on, so as to come to read that this is the end.
      if (data === 'close') this.#peerIsGone();
      this.#received.push(data);
      this.#deliver();
    } else {
      this.destroy(
        new Error('a message on the port is not of a stream: is the other end a messagePortStream?'),
      );
    }
  }

  #deliver(): void {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    try {
      while (!this.#isPaused && !this.#isDestroyed) {
        const next = this.#received.shift();
        if (next === undefined) break;
        this.#handOut(next);
      }
    } finally {
      this.#isDelivering = false;
    }
  }

  #handOut(next: Uint8Array | 'end' | 'close'): void {
    if (next === 'close') {
      this.#close();
    } else if (next === 'end') {
      this.#peerHasEnded = true;
      this.#emit('end');
      this.#closeIfOver();
    } else {
      this.#emit('data', next);
      this.#taken += next.length;
      if (this.#taken < REPORT_FROM || this.#isDestroyed) return;
      this.#post(this.#taken);
      this.#taken = 0;
    }
  }

  #drained(taken: number): void {
    this.#underWay -= taken;
    if (!this.#needsDrain || this.#underWay > WINDOW / 2) return;
    this.#needsDrain = false;
    this.#emit('drain');
  }

  #peerIsGone(): void {
    this.#isPeerGone = true;
    this.#drained(this.#underWay);
  }

  #closeIfOver(): void {
    if (this.#hasEnded && this.#peerHasEnded) this.#close();
  }

  #close(error?: Error): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#received = [];
    this.#port.close();
    queueMicrotask(() => {
      if (error !== undefined) this.#emit('error', error);
      this.#emit('close');
    });
  }

  #emit(event: string, value?: unknown): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(value as never);
  }
}
