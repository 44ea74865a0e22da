import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { caches, GuestWorkloads, sharedMappings, workloads } from './guest-workloads.ts';

/** Each of these starts hundreds of programs, on an emulated CPU. */
const patience = { timeout: 600_000 };

let here: GuestWorkloads;

beforeAll(async () => {
  here = await GuestWorkloads.start();
});
afterAll(async () => {
  await here?.[Symbol.asyncDispose]();
});

describe.each(workloads)('%s', (workload) => {
  it('comes to the same on 9P, with every cache mode, as on ext4', patience, async () => {
    const own = await here.run(workload, 'ext4');
    expect(own).toMatchObject({ status: 0, stdout: expect.stringMatching(/\S+\n\S+/) });
    // All three at once: they are three clients of one folder.
    const runs = await Promise.all(caches.map(async (cache) => [cache, await here.run(workload, cache)]));
    const expected = { status: 0, stdout: own.stdout };
    expect(Object.fromEntries(runs)).toMatchObject(Object.fromEntries(caches.map((c) => [c, expected])));
  });
});

describe.each(sharedMappings)('%s, by memory that is shared through a file', (workload) => {
  it('comes to the same with cache=mmap and cache=loose as on ext4', patience, async () => {
    const own = await here.run(workload, 'ext4');
    expect(own).toMatchObject({ status: 0, stdout: expect.stringMatching(/\S+\n\S+/) });
    const [mmap, loose] = await Promise.all([here.run(workload, 'mmap'), here.run(workload, 'loose')]);
    const expected = { status: 0, stdout: own.stdout };
    expect({ mmap, loose }).toMatchObject({ mmap: expected, loose: expected });
  });

  it('is refused by the client itself without a cache', patience, async () => {
    const { status, stdout, stderr } = await here.run(workload, 'none');
    expect(status).not.toBe(0);
    expect(stdout + stderr).toMatch(/disk I\/O error|Invalid argument/);
  });
});

it('9s has nothing to complain about', () => {
  expect(here.complaints).toEqual([]);
});
