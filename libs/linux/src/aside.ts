import { hot } from './addon.ts';
import { close, eventfd } from './descriptor.ts';
import { SystemError } from './error.ts';
import { watch } from './watch.ts';

declare const nativeSending: unique symbol;
type NativeSending = { readonly [nativeSending]: never };

const asideStart =
  hot<
    (
      fd: number,
      buffer: Uint8Array,
      start: number,
      length: number,
      flags: number,
      done: number,
    ) => NativeSending | number
  >('asideStart');
const asideEnd = hot<(sending: NativeSending) => number>('asideEnd');

/**
 * send(2) of `length` bytes of `buffer` from `start` in a thread of its own, for a socket that blocks: it may wait as long as it
 * likes without holding up anything else. `MSG_NOSIGNAL` is always added. The bytes are copied. To end a wait,
 * `shutdown` the socket; a thread of Node.js that ends does so.
 * @param flags `MSG_*`
 * @returns what send(2) returned: how many bytes went, or a negative errno
 * @throws SystemError the thread cannot be started
 */
export function sendAside(
  fd: number,
  buffer: Uint8Array,
  start: number,
  length: number,
  flags: number,
): Promise<number> {
  const told = Promise.withResolvers<void>();
  const done = eventfd(0);
  try {
    // Both have duplicates of it, which are closed even when this thread is terminated.
    const watching = watch(done, { readable: true }, () => told.resolve());
    const sending = asideStart(fd, buffer, start, length, flags, done);
    if (typeof sending === 'number') {
      watching.close();
      throw new SystemError(sending, 'send');
    }
    return told.promise.then(() => {
      watching.close();
      return asideEnd(sending);
    });
  } finally {
    close(done);
  }
}
