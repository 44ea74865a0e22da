import { fileURLToPath } from 'node:url';
import { bootGuest, guestProgram } from '@vm-tools/guest';
import { beforeAll, expect, test } from 'vitest';

const program = guestProgram(fileURLToPath(new URL('./programs/kmsg.ts', import.meta.url)), 'syslog');
let seen: Record<string, object>;

beforeAll(async () => {
  await using guest = await bootGuest({ node: true, files: program.files, timeoutMs: 300_000 });
  const argv = ['/usr/local/bin/node', program.path];
  const { status, stdout, stderr } = await guest.exec(argv, { timeoutMs: 300_000 });
  expect(status, stderr).toBe(0);
  seen = JSON.parse(stdout);
}, 700_000);

test('the kernel log of a guest is read from its first record, with dictionaries and what programs write there', () => {
  expect(seen['fromStart']).toEqual({
    first: 0,
    hasVersion: true,
    isWithoutGaps: true,
    counters: { records: true, bytes: expect.any(Number), lost: 0, strange: 0, waits: 0 },
    hasDictionary: true,
    mark: { severity: 4, tag: 'mark', pid: 7, source: 'kernel' },
    isNow: true,
    isUnescaped: true,
    isOpen: true,
  });
});

test('it is read from now on, and goes on behind a number', () => {
  expect(seen['fromNowAndBehind']).toEqual({ now: ['two'], behind: ['three', 'four'], lost: 0 });
});

test('what the kernel overwrites while the sink is full is counted and told, to the record', () => {
  expect(seen['overwritten']).toEqual({ isLost: true, isTold: true, isWhole: true, first: 'first' });
});

test('a record that has no room in the buffer is lost, and the next has room', () => {
  expect(seen['tooLarge']).toEqual({ lost: 1, kept: ['z'] });
});
