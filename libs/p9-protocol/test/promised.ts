import type { FileSystem } from '../src/filesystem.ts';

/** What must be done at once: no promise may be returned. */
const atOnce = new Set(['retain', 'release', 'close']);

/**
 * A filesystem that does what `fs` does, but later: every outcome is a promise, which settles after some turns of the event loop. Half of the calls are
 * made when their turn has come, from the names and buffers that the server must have kept; half at once, with the outcome held back.
 */
export function promised<F extends object>(fs: F): FileSystem {
  let calls = 0;
  return new Proxy(fs, {
    get(target, key) {
      const method: unknown = Reflect.get(target, key);
      if (typeof method !== 'function') return method;
      if (typeof key === 'symbol' || atOnce.has(key)) return method.bind(target);
      return async (...args: unknown[]) => {
        const call = calls++;
        const isLate = call % 2 === 0;
        const outcome: unknown = isLate ? undefined : method.apply(target, args);
        await turns(call % 5);
        return isLate ? method.apply(target, args) : outcome;
      };
    },
  }) as unknown as FileSystem;
}

async function turns(count: number): Promise<void> {
  if (count === 0) return;
  for (let turn = 1; turn < count; turn++) await Promise.resolve();
  if (count > 2) await new Promise((resolve) => setImmediate(resolve));
}
