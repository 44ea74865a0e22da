import { hot } from './addon.ts';
import { constants } from './constants.ts';
import { check } from './error.ts';

const socketCall = hot<(domain: number, type: number, protocol: number) => number>('keptSocket');
const socketpairCall = hot<(domain: number, type: number, out: Int32Array) => number>('keptSocketpair');
const openatCall =
  hot<(dir: number, name: Uint8Array, start: number, length: number, flags: number, mode: number) => number>(
    'keptOpenat',
  );
const letGoCall = hot<(fd: number) => number>('letGo');

/**
 * As `socket`, and kept: a thread of Node.js that is terminated runs no `finally`, and would leave open what it has as a number.
 * A kept descriptor is closed with its thread, unless `close` or {@link letGo} came first.
 * @throws SystemError
 */
export function keptSocket(domain: number, type: number, protocol = 0): number {
  return check(socketCall(domain, type, protocol), 'socket');
}

/** As `socketpair`, both kept as {@link keptSocket} says. @throws SystemError */
export function keptSocketpair(domain: number, type: number): [number, number] {
  const ends = new Int32Array(2);
  check(socketpairCall(domain, type, ends), 'socketpair');
  return [ends[0] as number, ends[1] as number];
}

/** As `accept`, and kept as {@link keptSocket} says. @returns a descriptor, or a negative errno */
export const keptAccept = hot<(fd: number, flags: number) => number>('keptAccept');

/** As `open`, and kept as {@link keptSocket} says. @throws SystemError with the path */
export function keptOpen(path: string, flags: number, mode = 0o666): number {
  const bytes = Buffer.from(path);
  return check(openatCall(constants.AT_FDCWD, bytes, 0, bytes.length, flags, mode), 'open', { path });
}

/**
 * Keeps a descriptor no longer: it has another owner, who closes it. Call it after that owner has it. One that was not kept is
 * none of its business.
 * @returns the same
 */
export function letGo(fd: number): number {
  letGoCall(fd);
  return fd;
}
