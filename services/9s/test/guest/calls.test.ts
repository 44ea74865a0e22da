import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { countCalls, type Difference, explains, type Mismatch, mismatches } from './calls/comparison.ts';
import { differences, ext4Differences } from './calls/differences.ts';
import { families } from './calls/families.ts';
import { type Answers, GuestCalls } from './guest-calls.ts';

let calls: GuestCalls;

beforeAll(async () => {
  calls = await GuestCalls.start();
});
afterAll(async () => {
  await calls?.[Symbol.asyncDispose]();
});

/** Without a cache: all but what tmpfs or the mount has not got. */
const everything = Object.keys(families).filter((family) => !['user-xattrs', 'acls'].includes(family));

/** With a cache for mappings only: the families that have to do with contents or with two who use them. */
const contents = [
  'read-and-write',
  'shared-files',
  'sizes',
  'unlinked-files',
  'changed-times',
  'two-ways',
  'posix-locks-of-two-clients',
  'flock-of-two-clients',
  'space',
  'mappings',
];

/** Mismatches that no difference explains, and differences that explain more or fewer than they say. */
function unexpected(found: readonly Mismatch[], expected: readonly Difference[]) {
  const unexplained = found.filter(
    (mismatch) => !expected.some((difference) => explains(difference, mismatch)),
  );
  const otherwise = expected.flatMap((difference) => {
    const times = found.filter(
      (mismatch) => difference === expected.find((each) => explains(each, mismatch)),
    ).length;
    return times === difference.times
      ? []
      : [`${difference.family} ${difference.call}: ${times} instead of ${difference.times}`];
  });
  return { unexplained, otherwise };
}

function ofFamily<T extends { readonly family: string }>(family: string, all: readonly T[]): T[] {
  return all.filter((each) => each.family === family);
}

/** One line that says what was compared. */
function report(title: string, { own }: Answers): number {
  const counts = [...countCalls(own)];
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  process.stdout.write(
    `${title}: ${total} calls compared: ${counts.map(([name, count]) => `${name} ${count}`).join(', ')}\n`,
  );
  return total;
}

/** A guest's own cache is seen in its attributes, which it then keeps: the contents are to be right. */
const cached = ['read-and-write', 'sizes', 'mappings'];

describe.each([
  { title: 'cache=none', mount: { cache: 'none' }, listed: 'none', names: everything, least: 5000 },
  { title: 'cache=mmap', mount: { cache: 'mmap' }, listed: 'mmap', names: contents, least: 500 },
  { title: 'cache=loose', mount: { cache: 'loose' }, listed: 'loose', names: cached, least: 200 },
  {
    title: 'posixacl',
    mount: { extra: ['posixacl'] },
    listed: 'none',
    names: ['acls', 'new-modes', 'users'],
    least: 1000,
  },
] as const)('mounted with $title', ({ title, mount, listed, names, least }) => {
  let answers: Answers;

  beforeAll(async () => {
    answers = await calls.compare({ ...mount, only: names });
  });

  it.each([...names])(
    '%s: every call answers as on the tmpfs of the guest, but for what is listed',
    (family) => {
      const [own, p9] = [ofFamily(family, answers.own), ofFamily(family, answers.p9)];
      expect(own.length).toBeGreaterThan(4);
      const found = unexpected(mismatches(own, p9), ofFamily(family, differences[listed]));
      expect(found).toEqual({ unexplained: [], otherwise: [] });
    },
  );

  it(`compares more than ${least} calls`, () => {
    expect(report(title, answers)).toBeGreaterThan(least);
  });
});

it('user.* attributes answer as on ext4, but for what is listed', async () => {
  const answers = await calls.compare({ only: ['user-xattrs'], with: 'ext4' });
  expect(report('ext4', answers)).toBeGreaterThan(150);
  const found = unexpected(mismatches(answers.own, answers.p9), ext4Differences);
  expect(found).toEqual({ unexplained: [], otherwise: [] });
});

it('9s has nothing to complain about, and holds no more than before', async () => {
  const { nineS } = calls.folder;
  expect(nineS.stderr).not.toMatch(/ (warn|error): /);
  // Threads take a moment to be gone.
  const isAtRest = () => JSON.stringify(nineS.usage()) === JSON.stringify(calls.usageAtRest);
  await vi.waitUntil(isAtRest, { timeout: 90_000 }).catch(() => undefined);
  expect(nineS.usage()).toEqual(calls.usageAtRest);
});
