import { AsyncResource } from 'node:async_hooks';
import { hot } from './addon.ts';
import { Errno } from './errno.ts';
import { check, SystemError } from './error.ts';

/** What to wait for. */
export interface WatchInterest {
  readonly readable?: boolean;
  readonly writable?: boolean;
}

/** What has happened. */
export interface WatchEvents {
  readonly readable: boolean;
  readonly writable: boolean;
  /** The peer has ended its side, or the descriptor is in error: the next call on it says which. */
  readonly hangup: boolean;
}

// enum uv_poll_event of libuv
const READABLE = 1;
const WRITABLE = 2;
const DISCONNECT = 4;

declare const nativeWatch: unique symbol;
type NativeWatch = { readonly [nativeWatch]: never };

const watchOpen =
  hot<(fd: number, events: number, callback: (events: number) => void) => NativeWatch | number>('watchOpen');
const watchUpdate = hot<(watch: NativeWatch, events: number) => number>('watchUpdate');
const watchRef = hot<(watch: NativeWatch, on: number) => number>('watchRef');
const watchFd = hot<(watch: NativeWatch) => number>('watchFd');
const watchTake = hot<(watch: NativeWatch) => number>('watchTake');
const watchClose = hot<(watch: NativeWatch) => number>('watchClose');

/**
 * Bits for libuv. An end of the peer is asked for only together with readability: it stays true for ever, and
 * someone who has paused reading would be called again and again.
 */
function bits({ readable = false, writable = false }: WatchInterest): number {
  return (readable ? READABLE | DISCONNECT : 0) | (writable ? WRITABLE : 0);
}

/** A descriptor that the event loop watches; see {@link watch}. Owns nothing but its duplicate of it. */
export class Watch implements Disposable {
  #native: NativeWatch | undefined;

  /** Use {@link watch}. */
  constructor(fd: number, interest: WatchInterest, callback: (events: WatchEvents) => void) {
    const inContext = AsyncResource.bind(callback, 'VM_TOOLS_WATCH');
    const opened = watchOpen(fd, bits(interest), (events) => {
      if (this.#native === undefined) return;
      inContext({
        readable: (events & READABLE) !== 0,
        writable: (events & WRITABLE) !== 0,
        hangup: (events & DISCONNECT) !== 0,
      });
    });
    if (typeof opened === 'number') throw new SystemError(opened, 'uv_poll_init');
    this.#native = opened;
  }

  /**
   * Waits for something else from now on; `{}` pauses. No effect once closed.
   * @throws SystemError
   */
  update(interest: WatchInterest): void {
    if (this.#native !== undefined) check(watchUpdate(this.#native, bits(interest)), 'uv_poll_start');
  }

  /** Keeps the event loop alive while it is open and watches something (so it is at first). */
  ref(): this {
    if (this.#native !== undefined) watchRef(this.#native, 1);
    return this;
  }

  /** Does not keep the event loop alive. */
  unref(): this {
    if (this.#native !== undefined) watchRef(this.#native, 0);
    return this;
  }

  /**
   * The duplicate that it watches, -1 once closed. Who closes the original and goes on with this one has a descriptor that is
   * closed with the watch, and with the thread however that ends.
   */
  get fd(): number {
    return this.#native === undefined ? -1 : watchFd(this.#native);
  }

  /**
   * Ends the watch and hands out the duplicate, the caller's from now on: kept as `keptSocket` says, until it is closed or let go.
   * @throws SystemError EBADF: the watch was closed
   */
  take(): number {
    if (this.#native === undefined) throw new SystemError(-Errno.EBADF, 'watch');
    const native = this.#native;
    this.#native = undefined;
    return check(watchTake(native), 'fstat');
  }

  /** Ends the watch: the callback is not called any more. Once is enough, twice does no harm. */
  close(): void {
    if (this.#native === undefined) return;
    watchClose(this.#native);
    this.#native = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Calls back on this thread's event loop whenever `fd` (socket, pipe, terminal, eventfd...) is ready: for as long as
 * it stays so, once per turn of the loop. `hangup` comes only while `readable` is watched, or with an error; an
 * error also pauses the watch until `update`. An exception in the callback is an uncaught one.
 *
 * The descriptor becomes non-blocking. It stays the caller's, who closes the watch first, then the descriptor: the
 * other way round the kernel may give the number to another file, and the events are that one's or none.
 *
 * @throws SystemError EEXIST: this thread watches it already; EPERM: a kind of file that cannot be watched, such as
 *   a regular one; EBADF
 */
export function watch(fd: number, interest: WatchInterest, callback: (events: WatchEvents) => void): Watch {
  return new Watch(fd, interest, callback);
}
