import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from './address.ts';
import { CONNECT_TIMEOUT_MS } from './connect.ts';
import { type DialOptions, dial } from './dial.ts';
import { parseAddress } from './parse-address.ts';
import { deadlineAfter } from './ready.ts';
import { VsockError } from './vsock-error.ts';

export interface RetryOptions extends DialOptions {
  /** Milliseconds that all attempts together may take; default 60,000; 0 for ever. */
  readonly deadlineMs?: number | undefined;
  /** Milliseconds before the second attempt, doubled before each further one; default 20. */
  readonly minDelayMs?: number | undefined;
  /** Milliseconds between two attempts at most; default 1,000. */
  readonly maxDelayMs?: number | undefined;
  /** Whether an error can go away by itself; default: nobody listens yet, the VM or its socket is not there yet, a time-out. */
  readonly isRetriable?: ((error: unknown) => boolean) | undefined;
  /** Told of each attempt that failed, counted from 1. */
  readonly onRetry?: ((error: unknown, attempt: number) => void) | undefined;
}

/** What a VM that still boots, or is just being restored, answers. */
const BOOTING = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ENODEV',
  'ENOENT',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ERR_HYBRID_REFUSED',
  'ERR_VSOCK_TIMEOUT',
]);

/**
 * {@link dial} for a VM that may not be up yet: tries again, at growing intervals with some chance in them, until it works.
 * @throws the error of the last attempt, at the deadline or when it is none that waiting helps; the reason of the signal
 */
export async function dialWithRetry(address: Address | string, options: RetryOptions = {}): Promise<Socket> {
  const { deadlineMs = 60_000, minDelayMs = 20, maxDelayMs = 1000, onRetry, ...each } = options;
  const { signal, timeoutMs = CONNECT_TIMEOUT_MS, isRetriable = isOfBoot } = options;
  const to = typeof address === 'string' ? parseAddress(address, { for: 'connect' }) : address;
  const deadline = deadlineAfter(deadlineMs);
  const left = () => (deadline === undefined ? Number.POSITIVE_INFINITY : deadline - performance.now());
  for (let attempt = 1; ; attempt++) {
    try {
      const limit = Math.max(1, Math.ceil(Math.min(timeoutMs || Number.POSITIVE_INFINITY, left())));
      return await dial(to, { ...each, timeoutMs: Number.isFinite(limit) ? limit : 0 });
    } catch (error) {
      signal?.throwIfAborted();
      const pause = Math.min(maxDelayMs, minDelayMs * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2);
      if (!isRetriable(error) || left() <= pause) throw error;
      onRetry?.(error, attempt);
      await sleep(pause, undefined, signal ? { signal } : {}).catch(() => signal?.throwIfAborted());
    }
  }
}

function isOfBoot(error: unknown): boolean {
  return error instanceof VsockError && BOOTING.has(error.code);
}
