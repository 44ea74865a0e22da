import { type WatchInterest, watch } from '@vm-tools/linux';

/** How long a wait may last. */
export interface Patience {
  /** Ends the wait with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** By the clock of `performance.now()`; undefined: for ever. */
  readonly deadline?: number | undefined;
  /** The error at the deadline. */
  readonly late: () => Error;
}

/** Resolves when a descriptor is ready, or in error: the next call on it tells. Does not close it. */
export function ready(
  fd: number,
  interest: WatchInterest,
  { signal, deadline, late }: Patience,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    let timer: NodeJS.Timeout | undefined;
    const watching = watch(fd, interest, () => end(resolve));
    const end = (settle: () => void) => {
      watching.close();
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
      settle();
    };
    const aborted = () => end(() => reject(signal?.reason as Error));
    signal?.addEventListener('abort', aborted, { once: true });
    if (deadline !== undefined) {
      timer = setTimeout(() => end(() => reject(late())), Math.max(0, deadline - performance.now()));
    }
  });
}

/** The moment that is `timeoutMs` from now; 0 is never. */
export function deadlineAfter(timeoutMs: number): number | undefined {
  return timeoutMs > 0 ? performance.now() + timeoutMs : undefined;
}
