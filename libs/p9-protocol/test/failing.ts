import { P9Error } from '../src/errno.ts';
import type { FileSystem } from '../src/filesystem.ts';

/** What says nothing of how it went. All but `retain` throw now and then all the same, when they have done their work. */
const silent = new Set(['retain', 'release', 'close']);

/** Ways in which a filesystem that is not well made, or not well, fails. None has done anything before. */
const failures: (() => unknown)[] = [
  () => -5,
  () => {
    throw new P9Error('EDQUOT', 'no more');
  },
  () => {
    throw new TypeError('a bug of the filesystem');
  },
  () => {
    throw Object.assign(new Error('as of a system call'), { errno: -2, code: 'ENOENT' });
  },
  () => Promise.reject(new P9Error('EIO')),
  () => Promise.reject(new TypeError('a late bug')),
  () => Promise.resolve(-5),
  () => 0,
  () => 1,
  () => Number.NaN,
  () => undefined,
  () => null,
  () => 'nonsense',
  () => Promise.resolve(undefined),
  () => Promise.resolve(0),
];

/** A filesystem of which every fourth call fails in one way or another, and the rest does what `fs` does. */
export function failing<F extends object>(fs: F): FileSystem {
  let calls = 0;
  return new Proxy(fs, {
    get(target, key) {
      const method: unknown = Reflect.get(target, key);
      if (typeof method !== 'function') return method;
      if (typeof key === 'symbol') return method.bind(target);
      if (silent.has(key)) {
        return (...args: unknown[]) => {
          method.apply(target, args);
          if (key !== 'retain' && calls++ % 4 === 0) throw new TypeError(`a bug in ${key}`);
        };
      }
      return (...args: unknown[]) => {
        const call = calls++;
        // The first calls make the session.
        if (call < 8 || call % 4 !== 0) return method.apply(target, args);
        return failures[Math.floor(call / 4) % failures.length]?.();
      };
    },
  }) as unknown as FileSystem;
}
