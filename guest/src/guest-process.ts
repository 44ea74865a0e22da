import { constants } from 'node:os';
import { Readable, Writable } from 'node:stream';
import { FrameType, STDIN_CHUNK, STDIN_WINDOW } from './agent-protocol.ts';

/** How a program in the guest ended: one of the two is null. */
export interface GuestExit {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Sends one frame for this program. */
export type SendFrame = (type: number, payload?: Uint8Array) => void;

/** Output of a program that its reader may leave unread; beyond, the program is killed and the stream fails. */
const UNREAD_LIMIT = 64 << 20;

/** A program that runs in the guest. Its streams are Node's; what it leaves in the background is not heard any more. */
export class GuestProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves with the pid in the guest; rejects when it could not be started. */
  readonly started: Promise<number>;
  /** Rejects when the program could not be started or the guest ends first. */
  readonly exited: Promise<GuestExit>;
  readonly #send: SendFrame;
  #credit = STDIN_WINDOW;
  #waiting: (() => void) | undefined;
  #onStarted!: (pid: number) => void;
  #onExited!: (exit: GuestExit) => void;
  #onFailed!: (error: Error) => void;

  constructor(send: SendFrame) {
    this.#send = send;
    const started = Promise.withResolvers<number>();
    const exited = Promise.withResolvers<GuestExit>();
    this.started = started.promise;
    this.exited = exited.promise;
    // Who looks at one of them need not look at the other.
    this.started.catch(() => undefined);
    this.exited.catch(() => undefined);
    this.#onStarted = started.resolve;
    this.#onExited = exited.resolve;
    this.#onFailed = (error) => {
      started.reject(error);
      exited.reject(error);
    };
    this.stdout = this.#output();
    this.stderr = this.#output();
    this.stdin = new Writable({
      write: (chunk: Buffer, _encoding, done) => this.#writeInput(chunk, done),
      final: (done) => {
        this.#send(FrameType.stdinEnd);
        done();
      },
    });
    this.stdin.on('error', () => undefined);
  }

  /** Sends a signal to the program and its children; by default SIGTERM. */
  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    const payload = Buffer.alloc(4);
    payload.writeInt32LE(constants.signals[signal]);
    this.#send(FrameType.signal, payload);
  }

  /** For the client of the agent: a frame for this program. Returns false when it was its last. */
  receive(type: number, payload: Buffer): boolean {
    if (type === FrameType.started) this.#onStarted(payload.readUInt32LE(0));
    else if (type === FrameType.stdout) this.#push(this.stdout, payload);
    else if (type === FrameType.stderr) this.#push(this.stderr, payload);
    else if (type === FrameType.credit) this.#grant(payload.readUInt32LE(0));
    else if (type === FrameType.exited) {
      this.#finish();
      const [status, signal] = [payload.readInt32LE(0), payload.readInt32LE(4)];
      this.#onExited({ status: status < 0 ? null : status, signal: signalName(signal) });
      return false;
    }
    return true;
  }

  /** For the client of the agent: there will be no more frames. */
  fail(error: Error): void {
    this.#finish();
    this.#onFailed(error);
  }

  #output(): Readable {
    const stream = new Readable({ read: () => undefined });
    stream.on('error', () => undefined);
    return stream;
  }

  #push(stream: Readable, chunk: Buffer): void {
    if (stream.destroyed) return;
    stream.push(chunk);
    if (stream.readableLength <= UNREAD_LIMIT) return;
    this.kill('SIGKILL');
    stream.destroy(new RangeError(`more than ${UNREAD_LIMIT >> 20} MiB of output were left unread`));
  }

  #finish(): void {
    this.stdout.push(null);
    this.stderr.push(null);
    this.stdin.destroy();
    this.#grant(0);
  }

  #writeInput(chunk: Buffer, done: (error?: Error) => void): void {
    let rest = chunk;
    const proceed = () => {
      while (rest.length > 0 && this.#credit > 0 && !this.stdin.destroyed) {
        const part = rest.subarray(0, Math.min(this.#credit, STDIN_CHUNK));
        this.#credit -= part.length;
        rest = rest.subarray(part.length);
        this.#send(FrameType.stdin, part);
      }
      if (rest.length > 0 && !this.stdin.destroyed) this.#waiting = proceed;
      else done();
    };
    proceed();
  }

  #grant(bytes: number): void {
    this.#credit += bytes;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }
}

function signalName(number: number): NodeJS.Signals | null {
  if (number === 0) return null;
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return (found?.[0] ?? `SIG${number}`) as NodeJS.Signals;
}
