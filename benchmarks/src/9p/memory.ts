import { median } from '../median.ts';
import { type Case, MSIZE_64K } from './case.ts';
import { load } from './load.ts';
import type { StressFigure, StressOptions } from './stress.ts';
import { Team } from './team.ts';

/** All of these have a thread of their own: further ones share threads and cost less. */
const MANY = 8;
/** Every kind of work, so that all code is compiled and all buffers are touched. */
const work: Case = { workload: 'mixed', depth: 4, msize: MSIZE_64K };
/** Millions of bytes, of which RSS has 1024ths. */
const MEGABYTES = 1024 / 1e6;

/** RSS of 9s under load, with one connection and with more. Each measurement has a server of its own. */
export async function measureMemory(options: StressOptions): Promise<StressFigure[]> {
  const one: number[] = [];
  const each: number[] = [];
  for (let round = 0; round < options.rounds; round++) {
    const alone = await residentSet(1, options);
    const together = await residentSet(MANY, options);
    one.push(alone);
    each.push((together - alone) / (MANY - 1));
  }
  return [
    { name: 'RSS with one connection, mixed work', value: median(one), unit: 'MB', target: 90 },
    {
      name: `RSS for each further connection, up to ${MANY}`,
      value: median(each),
      unit: 'MB',
      target: 15,
    },
  ];
}

async function residentSet(
  connections: number,
  { root, cpu, installed, ...run }: StressOptions,
): Promise<number> {
  await using team = await Team.start(root, { peers: ['9s'], cpu, installed });
  const [server] = team.peers;
  if (server === undefined) throw new Error('9s did not start');
  const { rss } = await load(server, work, { ...run, cpu, connections });
  return rss * MEGABYTES;
}
