import type { OnReadOpts, Socket } from 'node:net';
import { Duplex } from 'node:stream';
import * as linux from '@vm-tools/linux';
import type { AdoptOptions } from './adoption.ts';

const { Errno } = linux;
const { MSG_DONTWAIT, SHUT_WR } = linux.constants;
const CHUNK = 65_536;

/**
 * A connected stream socket as a Duplex that polls its descriptor, with the face of `net.Socket`: what connections are where
 * Node.js does not take AF_VSOCK by its handles.
 */
export class PolledSocket extends Duplex {
  readonly connecting = false;
  readonly pending = false;
  bytesRead = 0;
  bytesWritten = 0;
  timeout = 0;
  readonly #fd: number;
  readonly #watch: linux.Watch;
  readonly #onread: OnReadOpts | undefined;
  #wantsRead = false;
  #resumeWrite: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Owns `fd` from now on; also when it throws. */
  constructor(fd: number, { allowHalfOpen = false, onread }: AdoptOptions = {}) {
    super({ allowHalfOpen, autoDestroy: true, emitClose: true });
    this.#onread = onread;
    try {
      // Its duplicate is the descriptor from here on: closed with the watch, and with the thread.
      this.#watch = linux.watch(fd, {}, (events) => this.#onEvents(events));
      this.#fd = this.#watch.fd;
    } finally {
      linux.close(fd);
    }
    // As net.Socket, which sees an end that nobody waits for.
    if (onread === undefined) this.read(0);
    else this.#pull();
  }

  /** Under the type of what it stands in for. */
  asSocket(): Socket {
    return this as unknown as Socket;
  }

  override _read(): void {
    this.#pull();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send(chunk, 0, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    const result = linux.shutdown(this.#fd, SHUT_WR);
    // The peer may be gone: there is nothing left to tell it then.
    done(result < 0 && result !== -Errno.ENOTCONN ? new linux.SystemError(result, 'shutdown') : null);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    this.#watch.close();
    done(error);
  }

  override resume(): this {
    if (this.#onread && !this.readableEnded) this.#pull();
    return super.resume();
  }

  override pause(): this {
    if (this.#onread && this.#wantsRead) {
      this.#wantsRead = false;
      this.#interest();
    }
    return super.pause();
  }

  /** Ends it when what was written has gone. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  resetAndDestroy(): this {
    return this.destroy();
  }

  setTimeout(timeout: number, listener?: () => void): this {
    this.timeout = timeout;
    if (listener) timeout === 0 ? this.removeListener('timeout', listener) : this.once('timeout', listener);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#active();
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  address(): object {
    return {};
  }

  ref(): this {
    this.#watch.ref();
    return this;
  }

  unref(): this {
    this.#watch.unref();
    return this;
  }

  get readyState(): 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.readable && this.writable) return 'open';
    return this.readable ? 'readOnly' : this.writable ? 'writeOnly' : 'closed';
  }

  get bufferSize(): number {
    return this.writableLength;
  }

  #active(): void {
    if (this.timeout === 0 || this.destroyed) return;
    if (this.#timer) this.#timer.refresh();
    else this.#timer = setTimeout(() => this.emit('timeout'), this.timeout).unref();
  }

  #interest(): void {
    this.#watch.update({ readable: this.#wantsRead, writable: this.#resumeWrite !== undefined });
  }

  #onEvents({ readable, writable, hangup }: linux.WatchEvents): void {
    if (writable || hangup) {
      const resume = this.#resumeWrite;
      this.#resumeWrite = undefined;
      resume?.();
    }
    if ((readable || hangup) && this.#wantsRead && !this.destroyed) this.#receive();
    if (!this.destroyed) this.#interest();
  }

  #pull(): void {
    if (this.#wantsRead || this.destroyed) return;
    this.#wantsRead = true;
    this.#interest();
  }

  #receive(): void {
    const given = this.#onread?.buffer;
    const buffer = typeof given === 'function' ? given() : (given ?? Buffer.allocUnsafe(CHUNK));
    const count = linux.recv(this.#fd, buffer, 0, buffer.length, MSG_DONTWAIT);
    if (count === -Errno.EAGAIN) return;
    this.#active();
    if (count < 0) {
      this.destroy(new linux.SystemError(count, 'read'));
    } else if (count === 0) {
      this.#wantsRead = false;
      this.push(null);
      this.read(0);
    } else {
      this.bytesRead += count;
      this.#wantsRead = this.#onread
        ? this.#onread.callback(count, buffer) !== false
        : this.push(count === buffer.length ? buffer : buffer.subarray(0, count));
    }
  }

  #send(chunk: Buffer, start: number, done: (error?: Error | null) => void): void {
    const count = linux.send(this.#fd, chunk, start, chunk.length - start, MSG_DONTWAIT);
    if (count < 0 && count !== -Errno.EAGAIN) {
      done(new linux.SystemError(count, 'write'));
      return;
    }
    const next = start + Math.max(count, 0);
    this.bytesWritten += Math.max(count, 0);
    this.#active();
    if (next === chunk.length) {
      done();
      return;
    }
    this.#resumeWrite = () => this.#send(chunk, next, done);
    this.#interest();
  }
}
