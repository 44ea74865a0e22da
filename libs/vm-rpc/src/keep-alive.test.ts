import { EventEmitter } from 'node:events';
import type { Http2Session } from 'node:http2';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { KeepAlive, type KeepAliveFacts } from './keep-alive.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A session that answers pings as long as it is alive; an answer has 17 bytes, as in HTTP/2. */
class FakeSession extends EventEmitter {
  destroyed = false;
  isAlive = true;
  pings = 0;
  readonly socket = { bytesRead: 0 };

  ping(callback: (error: Error | null) => void): void {
    this.pings++;
    if (!this.isAlive) return;
    setTimeout(() => {
      this.socket.bytesRead += 17;
      callback(null);
    }, 1);
  }
}

function watch(session: FakeSession, facts: Partial<KeepAliveFacts> = {}) {
  const silent: number[] = [];
  const keepAlive = new KeepAlive({
    intervalMs: 100,
    timeoutMs: 50,
    session: session as unknown as Http2Session,
    socket: session.socket,
    isWanted: () => true,
    onSilent: (ms) => silent.push(ms),
    ...facts,
  });
  return { keepAlive, silent };
}

test('who is silent is asked once in an interval', async () => {
  const session = new FakeSession();
  using _ = watch(session).keepAlive;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(session.pings).toBe(10);
});

test('who talks is not asked', async () => {
  const session = new FakeSession();
  using _ = watch(session).keepAlive;
  for (let time = 0; time < 1_000; time += 50) {
    session.socket.bytesRead += 1;
    await vi.advanceTimersByTimeAsync(50);
  }
  expect(session.pings).toBe(0);
});

test('nobody is asked while it does not matter', async () => {
  const session = new FakeSession();
  let isWanted = false;
  using _ = watch(session, { isWanted: () => isWanted }).keepAlive;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(session.pings).toBe(0);
  isWanted = true;
  await vi.advanceTimersByTimeAsync(100);
  expect(session.pings).toBe(1);
});

test('who does not answer in time is silent, which is told once', async () => {
  const session = new FakeSession();
  const { silent, keepAlive } = watch(session);
  await vi.advanceTimersByTimeAsync(500);
  session.isAlive = false;
  await vi.advanceTimersByTimeAsync(100 + 49);
  expect(silent).toEqual([]);
  await vi.advanceTimersByTimeAsync(2);
  expect(silent).toEqual([150]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(silent).toEqual([150]);
  expect(session.pings).toBe(6);
  keepAlive.stop();
});

test('whatever is heard is an answer, also when it is read late', async () => {
  const session = new FakeSession();
  session.isAlive = false;
  const { silent, keepAlive } = watch(session);
  await vi.advanceTimersByTimeAsync(100);
  expect(session.pings).toBe(1);
  session.socket.bytesRead += 1;
  await vi.advanceTimersByTimeAsync(60);
  expect(silent).toEqual([]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(silent).toEqual([150]);
  keepAlive.stop();
});

test('after three questions in a row it is patient, until something else is heard', async () => {
  const session = new FakeSession();
  using _ = watch(session, { patienceMs: 5_000 }).keepAlive;
  await vi.advanceTimersByTimeAsync(4_000);
  expect(session.pings).toBe(3);
  await vi.advanceTimersByTimeAsync(6_000);
  expect(session.pings).toBe(4);
  session.socket.bytesRead += 1;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(session.pings).toBe(7);
});

test('a session that ends answers no question, and is not called silent', async () => {
  const session = new FakeSession();
  session.isAlive = false;
  const { keepAlive, silent } = watch(session);
  const answer = keepAlive.ping();
  session.destroyed = true;
  session.emit('close');
  expect(await answer).toBe(false);
  expect(await keepAlive.ping()).toBe(false);
  keepAlive.stop();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(silent).toEqual([]);
  expect(session.listenerCount('close')).toBe(0);
});

test('how long nothing was heard is known before anybody is asked', async () => {
  const session = new FakeSession();
  using keepAlive = watch(session, { isWanted: () => false }).keepAlive;
  expect(keepAlive.isSilent).toBe(false);
  await vi.advanceTimersByTimeAsync(101);
  expect(keepAlive.isSilent).toBe(true);
  session.socket.bytesRead += 1;
  expect(keepAlive.isSilent).toBe(false);
  await vi.advanceTimersByTimeAsync(101);
  const answer = keepAlive.ping();
  await vi.advanceTimersByTimeAsync(1);
  expect(await answer).toBe(true);
  expect(keepAlive.isSilent).toBe(false);
});
