import { AsyncLocalStorage } from 'node:async_hooks';
import { readdirSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { test as base } from '../test/scratch-directory.ts';
import { constants } from './constants.ts';
import { close, getFlags, open, pipe } from './descriptor.ts';
import { recv, send, shutdown, socketpair } from './socket.ts';
import { type Watch, type WatchEvents, type WatchInterest, watch } from './watch.ts';

const { AF_UNIX, SOCK_STREAM, SHUT_WR, O_NONBLOCK, O_RDONLY } = constants;

/** Two connected sockets, and every watch of the test, closed in the right order. */
interface Ends {
  readonly a: number;
  readonly b: number;
  /** Watches `a`; `next` resolves with the events of the next call. */
  readonly watchA: (interest: WatchInterest) => {
    watch: Watch;
    next: () => Promise<WatchEvents>;
    calls: () => number;
  };
}

const test = base.extend<{ ends: Ends }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the pattern to learn what the fixture needs
  ends: async ({}, use) => {
    const [a, b] = socketpair(AF_UNIX, SOCK_STREAM);
    const watches: Watch[] = [];
    await use({
      a,
      b,
      watchA: (interest) => {
        let calls = 0;
        let waiting = Promise.withResolvers<WatchEvents>();
        const watched = watch(a, interest, (events) => {
          calls++;
          waiting.resolve(events);
        });
        watches.push(watched);
        const next = () => {
          waiting = Promise.withResolvers();
          return waiting.promise;
        };
        return { watch: watched, next, calls: () => calls };
      },
    });
    for (const each of watches) each.close();
    close(a);
    close(b);
  },
});

const say = (fd: number, text: string) => send(fd, Buffer.from(text), 0, text.length, 0);

describe('a watch', () => {
  test('has a duplicate that lives as long as it does', async ({ ends: { a, b, watchA } }) => {
    const { watch, next } = watchA({ readable: true });
    const { fd } = watch;
    expect(fd).not.toBe(a);
    const seen = next();
    say(b, 'hello');
    await seen;
    expect(recv(fd, Buffer.alloc(5), 0, 5, 0)).toBe(5);
    watch.close();
    expect(watch.fd).toBe(-1);
    expect(() => getFlags(fd)).toThrow('EBADF');
    expect(getFlags(a) & O_NONBLOCK).toBe(O_NONBLOCK);
  });

  test('calls when there is something to read, and not before', async ({ ends: { b, watchA } }) => {
    const { next, calls } = watchA({ readable: true });
    for (let i = 0; i < 5; i++) await turn();
    expect(calls()).toBe(0);
    say(b, 'x');
    expect(await next()).toEqual({ readable: true, writable: false, hangup: false });
  });

  test('calls again as long as nobody reads', async ({ ends: { a, b, watchA } }) => {
    const { next, calls } = watchA({ readable: true });
    say(b, 'xy');
    await next();
    await next();
    expect(recv(a, Buffer.alloc(8), 0, 8, 0)).toBe(2);
    const before = calls();
    for (let i = 0; i < 5; i++) await turn();
    expect(calls()).toBe(before);
  });

  test('calls when there is room to write', async ({ ends: { watchA } }) => {
    const { next } = watchA({ writable: true });
    expect(await next()).toEqual({ readable: false, writable: true, hangup: false });
  });

  test('tells the end of the peer to a reader, and does not trouble one who has paused', async ({
    ends: { b, watchA },
  }) => {
    const { watch, next, calls } = watchA({ readable: true });
    shutdown(b, SHUT_WR);
    expect(await next()).toEqual({ readable: true, writable: false, hangup: true });
    watch.update({});
    const before = calls();
    for (let i = 0; i < 5; i++) await turn();
    expect(calls()).toBe(before);
    watch.update({ writable: true });
    expect(await next()).toEqual({ readable: false, writable: true, hangup: false });
    watch.update({ readable: true, writable: true });
    expect(await next()).toEqual({ readable: true, writable: true, hangup: true });
  });

  test('tells an error as everything, once', async () => {
    const [read, write] = pipe();
    const events: WatchEvents[] = [];
    const watched = watch(write, {}, (seen) => events.push(seen));
    close(read);
    watched.update({ writable: true });
    for (let i = 0; i < 5; i++) await turn();
    expect(events).toEqual([{ readable: true, writable: true, hangup: true }]);
    watched.close();
    close(write);
  });

  test('is silent once closed, even from within the callback', async ({ ends: { a, b } }) => {
    let calls = 0;
    const watched = watch(a, { readable: true, writable: true }, () => {
      calls++;
      watched.close();
      watched.close();
      watched.update({ readable: true });
      watched.ref().unref();
    });
    say(b, 'x');
    while (calls === 0) await turn();
    for (let i = 0; i < 5; i++) await turn();
    expect(calls).toBe(1);
  });

  test('is closed at the end of its block', async ({ ends: { a, b } }) => {
    let calls = 0;
    {
      using watched = watch(a, { readable: true }, () => calls++);
      watched.ref();
      say(b, 'x');
    }
    for (let i = 0; i < 5; i++) await turn();
    expect(calls).toBe(0);
  });

  test('takes the asynchronous context of its creation along', async ({ ends: { a, b } }) => {
    const storage = new AsyncLocalStorage<string>();
    const seen = Promise.withResolvers<string | undefined>();
    const watched = storage.run('mine', () =>
      watch(a, { readable: true }, () => {
        seen.resolve(storage.getStore());
        watched.close();
      }),
    );
    storage.run('other', () => say(b, 'x'));
    expect(await seen.promise).toBe('mine');
  });

  test('runs the microtasks of its callback before anything else', async ({ ends: { a, b } }) => {
    const order: string[] = [];
    const done = Promise.withResolvers<void>();
    const watched = watch(a, { readable: true }, () => {
      watched.close();
      setImmediate(() => {
        order.push('immediate');
        done.resolve();
      });
      process.nextTick(() => order.push('tick'));
      void Promise.resolve().then(() => order.push('microtask'));
      order.push('callback');
    });
    say(b, 'x');
    await done.promise;
    expect(order).toEqual(['callback', 'tick', 'microtask', 'immediate']);
  });

  test('makes the descriptor non-blocking, and needs one of its own until it is closed', ({
    ends: { a, watchA },
  }) => {
    const descriptors = () => readdirSync('/proc/self/fd').length;
    const before = descriptors();
    const { watch } = watchA({ readable: true });
    expect(getFlags(a) & O_NONBLOCK).toBe(O_NONBLOCK);
    expect(descriptors()).toBe(before + 1);
    watch.close();
    expect(descriptors()).toBe(before);
  });

  test('may share a descriptor with another', async ({ ends: { b, watchA } }) => {
    const [first, second] = [watchA({ readable: true }), watchA({ readable: true })];
    const both = Promise.all([first.next(), second.next()]);
    say(b, 'x');
    expect((await both).map(({ readable }) => readable)).toEqual([true, true]);
  });

  test('survives a caller who closes the descriptor too early', async () => {
    const [a, b] = socketpair(AF_UNIX, SOCK_STREAM);
    const ended = Promise.withResolvers<WatchEvents>();
    const watched = watch(a, { readable: true }, ended.resolve);
    close(a);
    await turn();
    watched.update({ readable: true, writable: true });
    await turn();
    close(b);
    expect(await ended.promise).toMatchObject({ writable: true });
    watched.close();
  });

  test('refuses what cannot be watched', () => {
    const nothing = () => undefined;
    const file = open(import.meta.filename, O_RDONLY);
    const error = (code: string) => expect.objectContaining({ code, syscall: 'uv_poll_init' });
    expect(() => watch(file, { readable: true }, nothing)).toThrow(error('EPERM'));
    expect(() => watch(-1, { readable: true }, nothing)).toThrow(error('EBADF'));
    expect(() => watch(0x7fff_ffff, { readable: true }, nothing)).toThrow(error('EBADF'));
    expect(() => watch(Number.NaN, { readable: true }, nothing)).toThrow(error('EINVAL'));
    close(file);
  });
});
