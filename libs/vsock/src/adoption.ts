import { type OnReadOpts, Socket } from 'node:net';
import * as linux from '@vm-tools/linux';
import { PolledSocket } from './polled-socket.ts';

const { AF_UNIX, AF_VSOCK, MSG_DONTWAIT, SO_DOMAIN, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET } =
  linux.constants;

/** Options of `net.Socket` that make sense for a connection that is there. */
export interface AdoptOptions {
  /** Whether this end stays open when the peer has ended its own. Default false. */
  readonly allowHalfOpen?: boolean | undefined;
  /** Takes what comes in into one buffer, in place of `data` events: the fastest way to receive. */
  readonly onread?: OnReadOpts | undefined;
}

/**
 * How connections become sockets: on a handle of libuv (`net.Socket`), or by polling (a Duplex with its face), where this
 * release of Node.js does not let the first be done.
 */
export type SocketStyle = 'libuv' | 'polled';

/** Set to `polled` to have it that way; anything else is ignored. */
const VARIABLE = 'VM_TOOLS_VSOCK_SOCKETS';
/** How long the trial of this Node.js may take before it counts as failed. */
const TRIAL_MS = 10_000;

let style: Promise<SocketStyle> | undefined;
let known: SocketStyle = process.env[VARIABLE] === 'polled' ? 'polled' : 'libuv';

/** How connections become sockets in this thread: tried once, on a pair of Unix sockets. */
export function socketStyle(): Promise<SocketStyle> {
  style ??= known === 'polled' ? Promise.resolve(known) : tryAdoption().then(adopted);
  return style;
}

function adopted(works: boolean): SocketStyle {
  known = works ? 'libuv' : 'polled';
  return known;
}

/**
 * A socket on a connected stream descriptor of any family, whose owner it becomes; also when it throws. AF_VSOCK, whose
 * descriptors Node.js refuses, gets in by taking the place of a Unix socket that Node.js has just been given.
 */
export function adopt(fd: number, options: AdoptOptions = {}): Socket {
  const { allowHalfOpen = false, onread } = options;
  try {
    linux.setNonblocking(fd, true);
    if (linux.getsockopt(fd, SOL_SOCKET, SO_DOMAIN) !== AF_VSOCK) {
      const socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen, onread });
      linux.letGo(fd);
      return socket;
    }
    if (known === 'libuv') return takePlace(fd, options);
  } catch (error) {
    linux.close(fd);
    throw error;
  }
  return new PolledSocket(fd, options).asSocket();
}

/** The number of the descriptor under a socket of Node.js; undefined when it is gone or not to be seen. */
export function descriptorOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as { _handle?: { fd?: unknown } | null };
  return typeof handle?.fd === 'number' && handle.fd >= 0 ? handle.fd : undefined;
}

/**
 * libuv looks at a descriptor's type when it gets it, and never again. So it gets a Unix socket, and before the event loop
 * turns and first waits for it, `fd` is put under that number (and its own number closed).
 */
function takePlace(fd: number, { allowHalfOpen = false, onread }: AdoptOptions): Socket {
  const place = linux.keptSocket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
  let socket: Socket;
  try {
    socket = new Socket({ fd: place, readable: true, writable: true, allowHalfOpen, onread });
  } catch (error) {
    linux.close(place);
    throw error;
  }
  linux.letGo(place);
  const moved = linux.dup3(fd, place);
  if (moved < 0) {
    socket.destroy();
    throw new linux.SystemError(moved, 'dup3');
  }
  linux.close(fd);
  return socket;
}

/** Whether a socket that took another's place reads and writes. */
async function tryAdoption(): Promise<boolean> {
  const [near, far] = linux.keptSocketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
  let socket: Socket | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    const byte = new Uint8Array(1);
    linux.send(far, byte, 0, 1, 0);
    const trial = takePlace(near, {});
    socket = trial;
    return await new Promise<boolean>((resolve) => {
      // Once more round the loop: after a long pause of the whole process timers come first, before what has arrived.
      timer = setTimeout(() => setImmediate(() => resolve(false)), TRIAL_MS);
      trial.once('error', () => resolve(false)).once('close', () => resolve(false));
      trial.once('data', () => {
        trial.write(byte, () => {
          const answered = linux.recv(far, byte, 0, 1, MSG_DONTWAIT) === 1;
          resolve(answered && descriptorOf(trial) !== undefined);
        });
      });
    });
  } catch {
    if (socket === undefined) linux.close(near);
    return false;
  } finally {
    clearTimeout(timer);
    socket?.destroy();
    linux.close(far);
  }
}
