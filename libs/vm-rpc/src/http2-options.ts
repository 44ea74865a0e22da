import type { SessionOptions } from 'node:http2';

/**
 * How much may be under way unread, in a call and in a connection, in bytes. HTTP/2's own 64 KiB make bulk transfers wait
 * for every update of the window; beyond 4 MiB nothing was gained any more.
 */
export const WINDOW_BYTES = 4 << 20;

/** Of every HTTP/2 session of this package, at both ends. */
export const sessionOptions = {
  settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
  // In MB. Node refuses streams while a session holds more: the 10 of its default are less than three windows.
  maxSessionMemory: 256,
} as const satisfies SessionOptions;
