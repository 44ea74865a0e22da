import { hot } from './addon.ts';
import { SystemError } from './error.ts';

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
      ended: () => void,
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
  const ended = Promise.withResolvers<void>();
  const sending = asideStart(fd, buffer, start, length, flags, ended.resolve);
  if (typeof sending === 'number') throw new SystemError(sending, 'send');
  return ended.promise.then(() => asideEnd(sending));
}
