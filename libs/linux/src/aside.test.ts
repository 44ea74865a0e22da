import { describe, expect, test, vi } from 'vitest';
import { sendAside } from './aside.ts';
import { constants } from './constants.ts';
import { close } from './descriptor.ts';
import { Errno } from './errno.ts';
import { recv, shutdown, socketpair } from './socket.ts';

const { AF_UNIX, MSG_DONTWAIT, SHUT_RDWR, SOCK_SEQPACKET } = constants;

/** Two connected sockets; `fill` sends until one send waits. */
function withPair(use: (a: number, b: number) => Promise<void>): Promise<void> {
  const [a, b] = socketpair(AF_UNIX, SOCK_SEQPACKET);
  return use(a, b).finally(() => {
    close(a);
    close(b);
  });
}

describe('sendAside', () => {
  test('sends while the event loop turns, whole messages in order', () =>
    withPair(async (a, b) => {
      const results: number[] = [];
      const sent = (async () => {
        for (let i = 1; i <= 8; i++)
          results.push(await sendAside(a, Buffer.alloc(100_000, i), 1000, 60_000, 0));
      })();
      const buffer = Buffer.alloc(100_000);
      for (let i = 1; i <= 8; i++) {
        const count = await vi.waitUntil(() => Math.max(0, recv(b, buffer, 0, buffer.length, MSG_DONTWAIT)), {
          timeout: 60_000,
          interval: 1,
        });
        expect(buffer.subarray(0, count).equals(Buffer.alloc(60_000, i))).toBe(true);
      }
      await sent;
      expect(results).toEqual(Array(8).fill(60_000));
    }));

  test('waits for as long as there is no room, and ends by a shutdown', () =>
    withPair(async (a) => {
      const message = Buffer.alloc(100_000);
      const sends = Array.from({ length: 8 }, () => sendAside(a, message, 0, message.length, 0));
      await Promise.race(sends);
      shutdown(a, SHUT_RDWR);
      const results = await Promise.all(sends);
      expect(results).toContain(100_000);
      expect(results).toContain(-Errno.EPIPE);
    }));

  test('refuses what is not there to be sent', () =>
    withPair(async (a) => {
      expect(() => sendAside(a, Buffer.alloc(8), 4, 5, 0)).toThrow('EFAULT');
      expect(() => sendAside(-1, Buffer.alloc(8), 0, 8, 0)).toThrow('EBADF: bad file descriptor, send');
    }));
});
