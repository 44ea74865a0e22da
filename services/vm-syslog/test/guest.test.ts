import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { killedTwice } from './killed-twice.ts';
import { LoggingGuest } from './logging-guest.ts';

// vm_syslog in a guest, vmlog_forwarder here. One test after the other, in one guest.

/** On an emulated CPU, on a machine that may be busy. */
vi.setConfig({ testTimeout: 900_000 });

let site: LoggingGuest;

beforeAll(async () => {
  site = await LoggingGuest.boot();
});
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
});

test('the guest’s own boot log, and what was logged before the host was there, arrive on the host', async () => {
  await site.collect('--flush-ms', '100');
  expect(await site.guest.sh('stat -c "%a %F" /dev/log')).toBe('666 socket\n');
  await site.guest.sh('logger -t backup -p daemon.err "hello, host"');
  await site.listen();
  const lines = await site.arrived((arrived) => arrived.some((line) => line.includes('backup: hello, host')));
  const boot = await site.arrived((arrived) => arrived.some((line) => line.includes('kernel: ')));
  expect(boot.find((line) => line.includes('kernel: '))).toContain(`Linux version ${site.guest.release}`);
  expect(lines.find((line) => line.includes('backup'))).toMatch(/ <11> {2}VM\(3\): {2}backup: hello, host$/);
  // What comes later does, too.
  await site.guest.sh('echo "<4>these are new words" > /dev/kmsg');
  await site.arrived((arrived) => arrived.some((line) => line.endsWith('] these are new words')));
});

test('it is no longer root, and is so that it can be started again', async () => {
  const status = await site.guest.sh('cat /proc/$(pidof node)/status');
  expect(status).toMatch(/^Uid:\t104\t104\t104\t104$/m);
  expect(status).toMatch(/^Gid:\t110\t110\t110\t110$/m);
  await site.stopCollecting();
  await site.collect('--flush-ms', '100');
  await site.guest.sh('logger -t backup "again"');
  const lines = await site.arrived((arrived) => arrived.some((line) => line.endsWith('backup: again')));
  // It went on where it had ended.
  expect(lines.filter((line) => line.includes('kernel: ') && line.includes('Linux version'))).toHaveLength(1);
  expect(lines.filter((line) => line.endsWith('these are new words'))).toHaveLength(1);
  await site.stopCollecting();
  await site.leave('SIGTERM');
});

test('20,000 messages of 8 senders: the forwarder is killed twice, and none is lost, repeated or out of order', async () => {
  await killedTwice(site, { processes: 8, messages: 2500 });
});
