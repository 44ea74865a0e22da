import { close, type Watch, type WatchInterest, watch } from '@vm-tools/linux';

/** How long a wait may last. */
export interface Patience {
  /** Ends the wait with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** By the clock of `performance.now()`; undefined: for ever. */
  readonly deadline?: number | undefined;
  /** The error at the deadline. */
  readonly late: () => Error;
}

/**
 * Resolves when a descriptor is ready, or in error: the next call on it tells.
 * @param fd taken: closed when it rejects, and with the thread when that ends meanwhile
 * @returns a descriptor for the same socket, in its place; kept (`keptSocket`)
 */
export function ready(
  fd: number,
  interest: WatchInterest,
  { signal, deadline, late }: Patience,
): Promise<number> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      close(fd);
      return reject(signal.reason as Error);
    }
    let timer: NodeJS.Timeout | undefined;
    const end = (settle: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
      try {
        settle();
      } catch (error) {
        reject(error as Error);
      } finally {
        watching.close();
      }
    };
    const aborted = () => end(() => reject(signal?.reason as Error));
    const watching = take(fd, interest, () => end(() => resolve(watching.take())));
    signal?.addEventListener('abort', aborted, { once: true });
    if (deadline !== undefined) {
      timer = setTimeout(() => end(() => reject(late())), Math.max(0, deadline - performance.now()));
    }
  });
}

function take(fd: number, interest: WatchInterest, seen: () => void): Watch {
  try {
    return watch(fd, interest, seen);
  } finally {
    close(fd);
  }
}

/** The moment that is `timeoutMs` from now; 0 is never. */
export function deadlineAfter(timeoutMs: number): number | undefined {
  return timeoutMs > 0 ? performance.now() + timeoutMs : undefined;
}
