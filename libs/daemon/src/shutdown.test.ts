import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLog, Shutdown, type ShutdownOptions } from './index.ts';

let events: string[];
let shutdowns: Shutdown[];

beforeEach(() => {
  events = [];
  shutdowns = [];
});
afterEach(() => {
  for (const shutdown of shutdowns) shutdown[Symbol.dispose]();
});

function makeShutdown(options: Partial<ShutdownOptions> = {}): Shutdown {
  const write = (line: string) => events.push(line.replace(/^.* sampled /, '').trim()) > 0;
  const shutdown = new Shutdown({
    log: createLog({ program: 'sampled', journal: false, write }),
    exit: (code) => events.push(`exit ${code}`),
    kill: (signal) => events.push(`kill ${signal}`),
    ...options,
  });
  shutdowns.push(shutdown);
  return shutdown;
}

describe('Shutdown', () => {
  it('announces, then runs the handlers from the last to the first, one at a time', async () => {
    const shutdown = makeShutdown({ announce: () => void events.push('announce') });
    shutdown.onShutdown('do one', () => void events.push('one'));
    shutdown.onShutdown('do two', async () => {
      events.push('two begins');
      await new Promise(setImmediate);
      shutdown.onShutdown('do three', () => void events.push('three'));
      events.push('two ends');
    });
    expect(shutdown.signal.aborted).toBe(false);
    await Promise.all([shutdown.begin(), shutdown.begin()]);
    expect(shutdown.signal.aborted).toBe(true);
    expect(events).toEqual(['announce', 'two begins', 'two ends', 'three', 'one', 'exit 0']);
  });

  it('goes on after a handler that fails, and exits with 70', async () => {
    const shutdown = makeShutdown();
    shutdown.onShutdown('do one', () => void events.push('one'));
    shutdown.onShutdown('do two', () => Promise.reject(new Error('no')));
    await shutdown.begin();
    expect(events).toEqual(['error: failed to do two error="no"', 'one', 'exit 70']);
  });

  it('exits with the code that it is begun with', async () => {
    await makeShutdown().begin(69);
    expect(events).toEqual(['exit 69']);
  });

  it('ends by the signal when the deadline passes', async () => {
    const shutdown = makeShutdown({ deadlineMs: 1 });
    shutdown.onShutdown('wait for ever', () => new Promise(() => undefined));
    void shutdown.begin();
    await vi.waitUntil(() => events.length === 2, { timeout: 90_000 });
    expect(events).toEqual([
      'error: shutdown was not done within 1 ms: it still had to wait for ever; ending at once',
      'kill SIGTERM',
    ]);
  });

  it('gives signals back when it is disposed of', () => {
    const before = process.listenerCount('SIGTERM');
    const shutdown = makeShutdown();
    expect(process.listenerCount('SIGTERM')).toBe(before + 1);
    shutdown[Symbol.dispose]();
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });
});
