import { closeSync, constants as fsConstants, openSync } from 'node:fs';
import type * as Linux from '@vm-tools/linux';
import type { ByteFlow } from '../core/one-pass.ts';

/** A flow whose resources must be given back. */
export interface OpenFlow extends ByteFlow {
  close(): void;
}

/** A flow of chunks, as a Node or a web stream is. */
export class ChunkFlow implements OpenFlow {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async read(into: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < into.length && (await this.#more())) {
      const part = this.#chunk.subarray(0, into.length - filled);
      into.set(part, filled);
      filled += part.length;
      this.#chunk = this.#chunk.subarray(part.length);
    }
    return filled;
  }

  async skip(size: number): Promise<number> {
    let skipped = 0;
    while (skipped < size && (await this.#more())) {
      const part = Math.min(this.#chunk.length, size - skipped);
      skipped += part;
      this.#chunk = this.#chunk.subarray(part);
    }
    return skipped;
  }

  async #more(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const next = await this.#chunks.next();
      if (next.done) return false;
      this.#chunk = next.value as Uint8Array<ArrayBuffer>;
    }
    return true;
  }

  close(): void {
    // A stream that has not ended is destroyed; what it says to that is of no interest any more.
    this.#chunks.return?.().then(undefined, () => undefined);
  }
}

/** The largest that an ordinary user may make a pipe. */
const PIPE_SIZE = 1 << 20;
/** What is read in one go, when little was asked for. */
const BUFFER_SIZE = 1 << 16;
/** What is passed over between two turns of the event loop. */
const STRIDE = 1 << 26;

/**
 * A flow from a pipe or a socket, on the event loop. What is passed over in a pipe is spliced into /dev/null and never copied.
 * The descriptor is non-blocking meanwhile, and stays the caller's.
 */
export class DescriptorFlow implements OpenFlow {
  readonly #linux: typeof Linux;
  readonly #fd: number;
  readonly #signal: AbortSignal | undefined;
  readonly #wasNonblocking: boolean;
  readonly #watch: Linux.Watch;
  readonly #buffer = new Uint8Array(BUFFER_SIZE);
  /** What of the buffer is not yet used. */
  #rest = new Uint8Array(0);
  #sink: number | undefined;
  #ready: (() => void) | undefined;

  constructor(
    linux: typeof Linux,
    fd: number,
    { isPipe, signal }: { isPipe: boolean; signal?: AbortSignal },
  ) {
    this.#linux = linux;
    this.#fd = fd;
    this.#signal = signal;
    const { O_NONBLOCK } = linux.constants;
    this.#wasNonblocking = (linux.getFlags(fd) & O_NONBLOCK) !== 0;
    // Fewer turns of the event loop; where it is not allowed, the pipe stays as it is.
    if (isPipe) linux.setPipeSize(fd, PIPE_SIZE);
    this.#watch = linux.watch(fd, {}, () => {
      this.#watch.update({});
      this.#ready?.();
    });
    linux.setNonblocking(fd, true);
    if (isPipe) this.#sink = openSync('/dev/null', fsConstants.O_WRONLY);
  }

  async read(into: Uint8Array): Promise<number> {
    let filled = this.#fromBuffer(into);
    while (filled < into.length) {
      const small = into.length - filled < BUFFER_SIZE;
      const target = small ? this.#buffer : into;
      const at = small ? 0 : filled;
      const read = this.#linux.read(this.#fd, target, at, target.length - at);
      if (read === 0) break;
      if (read < 0) {
        await this.#readable(read, 'read');
        continue;
      }
      if (small) {
        this.#rest = this.#buffer.subarray(0, read);
        filled += this.#fromBuffer(into.subarray(filled));
      } else filled += read;
    }
    return filled;
  }

  async skip(size: number): Promise<number> {
    let skipped = Math.min(size, this.#rest.length);
    this.#rest = this.#rest.subarray(skipped);
    let turn = skipped + STRIDE;
    while (skipped < size) {
      const passed = this.#pass(size - skipped);
      if (passed === 0) break;
      if (passed < 0) await this.#readable(passed, this.#sink === undefined ? 'read' : 'splice');
      else skipped += passed;
      if (skipped >= turn) {
        turn = skipped + STRIDE;
        await new Promise(setImmediate);
      }
    }
    return skipped;
  }

  #pass(size: number): number {
    if (this.#sink === undefined) {
      return this.#linux.read(this.#fd, this.#buffer, 0, Math.min(size, BUFFER_SIZE));
    }
    const { SPLICE_F_MOVE, SPLICE_F_NONBLOCK } = this.#linux.constants;
    return this.#linux.splice(
      this.#fd,
      this.#sink,
      Math.min(size, PIPE_SIZE),
      SPLICE_F_MOVE | SPLICE_F_NONBLOCK,
    );
  }

  #fromBuffer(into: Uint8Array): number {
    const part = this.#rest.subarray(0, into.length);
    into.set(part);
    this.#rest = this.#rest.subarray(part.length);
    return part.length;
  }

  /** Waits until there is something to read. @throws SystemError for another error than EAGAIN; the signal's reason */
  async #readable(result: number, syscall: string): Promise<void> {
    if (result !== -this.#linux.Errno.EAGAIN) this.#linux.check(result, syscall);
    this.#signal?.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<void>();
    const aborted = () => resolve();
    this.#ready = resolve;
    this.#signal?.addEventListener('abort', aborted);
    this.#watch.update({ readable: true });
    await promise;
    this.#signal?.removeEventListener('abort', aborted);
    this.#ready = undefined;
    this.#signal?.throwIfAborted();
  }

  close(): void {
    this.#watch.close();
    if (this.#sink !== undefined) closeSync(this.#sink);
    this.#sink = undefined;
    if (!this.#wasNonblocking) this.#linux.setNonblocking(this.#fd, false);
  }
}
