import { hot } from './addon.ts';
import { check } from './error.ts';

const callCreate = hot<(flags: number) => number>('epollCreate');

/**
 * epoll_create1(2), close-on-exec.
 * @returns a descriptor
 * @throws SystemError
 */
export function epollCreate(): number {
  return check(callCreate(0), 'epoll_create1');
}

/**
 * epoll_ctl(2).
 * @param operation `EPOLL_CTL_*`
 * @param events `EPOLL*`
 * @param token 32 bits that {@link epollWait} tells with the events
 * @returns 0 or a negative errno
 */
export const epollControl =
  hot<(epoll: number, operation: number, fd: number, events: number, token: number) => number>(
    'epollControl',
  );

/**
 * epoll_wait(2).
 * @param out filled with pairs of token and events; 256 pairs at most
 * @param timeoutMs in milliseconds; negative waits for ever, 0 does not wait
 * @returns how many pairs (0: timed out, or a signal came), or a negative errno
 */
export const epollWait = hot<(epoll: number, out: Uint32Array, timeoutMs: number) => number>('epollWait');
