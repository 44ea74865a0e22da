import { EventEmitter } from 'node:events';
import type { DuplexLike } from '../src/byte-stream.ts';

/** Bytes under way in one direction at which `write` asks to wait. */
const HIGH_WATER = 64 * 1024;

/** Two ends of a byte stream within the process. What is written at one end is copied and comes out at the other, in the same pieces, in microtasks. */
export function streamPair(): [PairedStream, PairedStream] {
  const a = new PairedStream();
  const b = new PairedStream();
  a.peer = b;
  b.peer = a;
  return [a, b];
}

export class PairedStream extends EventEmitter implements DuplexLike {
  peer: PairedStream | undefined;
  destroyed = false;
  #incoming: { bytes: Uint8Array; sent: (() => void) | undefined }[] = [];
  #incomingBytes = 0;
  #isPaused = false;
  #hasEnded = false;
  #peerHasEnded = false;
  #saidEnd = false;
  #isScheduled = false;
  #needsDrain = false;

  write(bytes: Uint8Array, sent?: () => void): boolean {
    const { peer } = this;
    if (this.#hasEnded || this.destroyed || peer === undefined || peer.destroyed) return false;
    peer.#incoming.push({ bytes: bytes.slice(), sent });
    peer.#incomingBytes += bytes.length;
    peer.#schedule();
    if (peer.#incomingBytes <= HIGH_WATER) return true;
    this.#needsDrain = true;
    return false;
  }

  end(done?: () => void): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.peer !== undefined) {
      this.peer.#peerHasEnded = true;
      this.peer.#schedule();
    }
    if (done !== undefined) queueMicrotask(done);
    this.#closeIfOver();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.end();
    this.destroyed = true;
    this.#incoming = [];
    queueMicrotask(() => this.emit('close'));
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    while (!this.#isPaused && !this.destroyed) {
      const next = this.#incoming.shift();
      if (next === undefined) break;
      this.#incomingBytes -= next.bytes.length;
      this.emit('data', next.bytes);
      next.sent?.();
      if (this.peer !== undefined) this.peer.#drained(this.#incomingBytes);
    }
    if (
      this.#peerHasEnded &&
      this.#incoming.length === 0 &&
      !this.#isPaused &&
      !this.#saidEnd &&
      !this.destroyed
    ) {
      this.#saidEnd = true;
      this.emit('end');
      this.#closeIfOver();
    }
  }

  #drained(left: number): void {
    if (!this.#needsDrain || left > 0) return;
    this.#needsDrain = false;
    queueMicrotask(() => this.emit('drain'));
  }

  /** Both directions have ended: as Node's streams, it closes of itself. */
  #closeIfOver(): void {
    if (this.#hasEnded && this.#saidEnd) this.destroy();
  }
}
