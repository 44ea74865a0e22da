import { expect, test } from 'vitest';
import { RateLimiter } from './rate-limit.ts';

test('each sender has so many records an interval, whatever the others send', () => {
  const limiter = new RateLimiter({ messages: 2, intervalMs: 100 });
  expect([0, 1, 2, 99].map((now) => limiter.admit(1, now))).toEqual([true, true, false, false]);
  expect(limiter.admit(2, 99)).toBe(true);
  expect([100, 150, 199].map((now) => limiter.admit(1, now))).toEqual([true, true, false]);
});

test('what was suppressed is told once, when its interval is over', () => {
  const limiter = new RateLimiter({ messages: 1, intervalMs: 100 });
  for (const now of [0, 1, 2]) limiter.admit(1, now);
  expect(limiter.settle(50)).toEqual([]);
  expect(limiter.settle(100)).toEqual([{ sender: 1, records: 2 }]);
  expect(limiter.settle(100)).toEqual([]);
  for (const now of [200, 201, 300]) limiter.admit(1, now);
  expect(limiter.settle(300)).toEqual([{ sender: 1, records: 1 }]);
  limiter.admit(1, 301);
  expect(limiter.settle()).toEqual([{ sender: 1, records: 1 }]);
});

test('senders that are gone are forgotten, and what they had suppressed is not', () => {
  const limiter = new RateLimiter({ messages: 1, intervalMs: 10 });
  for (let sender = 0; sender < 5000; sender++) {
    limiter.admit(sender, sender);
    limiter.admit(sender, sender);
  }
  const told = limiter.settle();
  expect(told.map(({ sender }) => sender).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 5000 }, (_, sender) => sender),
  );
  expect(told.every(({ records }) => records === 1)).toBe(true);
});
