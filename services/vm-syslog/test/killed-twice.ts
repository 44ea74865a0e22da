import { expect, vi } from 'vitest';
import type { LoggingGuest } from './logging-guest.ts';
import { expectedNumbers, numbersBySender } from './messages.ts';

/** Has programs in the guest send messages, so many each, kills the forwarder twice meanwhile, and compares what has arrived. */
export async function killedTwice(
  site: LoggingGuest,
  { processes, messages }: { readonly processes: number; readonly messages: number },
): Promise<void> {
  const all = processes * messages;
  const unlimited = ['--limit', '0', '--max-file-bytes', `${1 << 30}`];
  await site.listen(...unlimited);
  await site.collect();
  const before = site.lines().length;
  const sending = site.guest.exec(['/opt/senders', '/dev/log', 's', `${processes}`, `${messages}`], {
    timeoutMs: 800_000,
  });
  for (const part of [0.25, 0.6]) {
    await site.arrived((lines) => lines.length > before + part * all);
    await site.leave('SIGKILL');
    await site.listen(...unlimited);
  }
  expect(await sending).toMatchObject({ status: 0, stderr: '' });
  await vi.waitUntil(() => site.lines().length >= before + all, { timeout: 300_000, interval: 100 });
  await site.stopCollecting();
  expect(numbersBySender(site.lines())).toEqual(expectedNumbers('s', processes, messages));
}
