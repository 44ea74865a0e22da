import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  caches,
  GuestWorkloads,
  type Outcome,
  type Place,
  sharedMappings,
  type Workload,
  workloads,
} from './guest-workloads.ts';

const MINUTE = 60_000;
const MINUTES = 10;
/** For one script, while all others work too. */
const PATIENCE = 15 * MINUTE;
/** Scripts do other parts of their work in as many rounds. */
const ROUNDS = 12;
/** In as many rounds each stressor has its turn. */
const STRESSING_ROUNDS = 6;

let here: GuestWorkloads;

beforeAll(async () => {
  here = await GuestWorkloads.start();
});
afterAll(async () => {
  await here?.[Symbol.asyncDispose]();
});

interface Run extends Outcome {
  readonly workload: Workload;
  readonly place: Place;
  readonly round: number;
}

/** Every workload that the place can do, all of them at once, again and again until the time is over and each stressor has had its turn. */
async function load(place: Place): Promise<Run[]> {
  const end = performance.now() + MINUTES * MINUTE;
  const all: Workload[] = place === 'none' ? [...workloads] : [...workloads, ...sharedMappings];
  const runs = all.map(async (workload) => {
    const done: Run[] = [];
    do {
      const round = done.length % ROUNDS;
      const outcome = await here.run(workload, place, round, PATIENCE);
      done.push({ workload, place, round, ...outcome });
      // What a failure leaves stays to be seen.
      if (outcome.status === 0) await here.guest.run(['rm', '-r', outcome.folder], { timeoutMs: PATIENCE });
    } while (performance.now() < end || (workload === 'stress-ng' && done.length < STRESSING_ROUNDS));
    return done;
  });
  return (await Promise.all(runs)).flat();
}

/** Runs of each workload, as a line. */
function counts(runs: readonly Run[]): string {
  const count = new Map<string, number>();
  for (const { workload } of runs) count.set(workload, (count.get(workload) ?? 0) + 1);
  return [...count].map(([workload, times]) => `${workload} ${times}`).join(', ');
}

function failed(runs: readonly Run[]): Run[] {
  return runs.filter(({ status }) => status !== 0);
}

const timeout = 60 * MINUTE;

describe('all workloads at once', () => {
  /** What each says in each round, on the guest's ext4. */
  const said = new Map<string, string>();

  it(`for ${MINUTES} minutes in three folders of the ext4 of the guest`, { timeout }, async () => {
    const own = (await Promise.all(caches.map(() => load('ext4')))).flat();
    process.stdout.write(`ext4, three at once, ${MINUTES} minutes: ${counts(own)}\n`);
    expect(failed(own)).toEqual([]);
    for (const { workload, round, stdout } of own) said.set(`${workload} ${round}`, stdout);
  });

  it(`for ${MINUTES} minutes on 9P, with each cache mode: the same`, { timeout }, async () => {
    const runs = (await Promise.all(caches.map((cache) => load(cache)))).flat();
    for (const cache of caches) {
      const line = counts(runs.filter(({ place }) => place === cache));
      process.stdout.write(`9P, cache=${cache}, ${MINUTES} minutes: ${line}\n`);
    }
    expect(failed(runs)).toEqual([]);
    expect(here.complaints).toEqual([]);
    for (const { workload, place, round, stdout } of runs) {
      const key = `${workload} ${round}`;
      // A round that ext4 has not come to.
      if (!said.has(key)) said.set(key, (await here.run(workload, 'ext4', round)).stdout);
      expect({ workload, place, round, stdout }).toMatchObject({ stdout: said.get(key) });
    }
  });
});
