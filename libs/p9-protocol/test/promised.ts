import { setTimeout as wait } from 'node:timers/promises';
import type { FileSystem } from '../src/filesystem.ts';

/** What must be done at once: no promise may be returned. */
const atOnce = new Set(['retain', 'release', 'close']);

/**
 * A filesystem that does what `fs` does, but later: every outcome is a promise, which settles after some turns of the event loop. Half of the calls are
 * made when their turn has come, from the names and buffers that the server must have kept; half at once, with the outcome held back.
 *
 * @param isSlow all calls are made after 20 ms
 */
export function promised<F extends object>(fs: F, isSlow = false): FileSystem {
  let calls = 0;
  return new Proxy(fs, {
    get(target, key) {
      const method: unknown = Reflect.get(target, key);
      if (typeof method !== 'function') return method;
      if (typeof key === 'symbol' || atOnce.has(key)) return method.bind(target);
      return async (...args: unknown[]) => {
        const call = calls++;
        const isLate = isSlow || call % 2 === 0;
        const outcome: unknown = isLate ? undefined : method.apply(target, args);
        await (isSlow ? wait(20) : turns(call % 5));
        return isLate ? method.apply(target, args) : outcome;
      };
    },
  }) as unknown as FileSystem;
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
  if (count > 2) await wait(0);
}
