import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { median } from '../median.ts';
import { type Case, MSIZE_64K } from './case.ts';
import { load, type Sample } from './load.ts';
import type { StressFigure, StressOptions } from './stress.ts';
import { Team } from './team.ts';

const ALL = 500;
const HOSTILE = 100;
/** How much longer a getattr of the others may take, as a factor: what is not noise. */
const MOST = 1.5;
const getattr: Case = { workload: 'getattr', depth: 1, msize: MSIZE_64K };
const MEGABYTES = 1024 / 1e6;

/** 400 clients that ask for attributes as fast as they are answered, with and without 100 hostile ones that came before them. */
export async function measureCrowd(options: StressOptions): Promise<StressFigure[]> {
  const without: Sample[] = [];
  const beside: Sample[] = [];
  for (let round = 0; round < options.rounds; round++) {
    without.push(await among(0, options));
    beside.push(await among(HOSTILE, options));
  }
  const p99 = (samples: Sample[]) => median(samples.map((sample) => sample.p99)) / 1000;
  const name = `p99 of getattr of ${ALL - HOSTILE} clients`;
  return [
    { name: `${name} beside ${HOSTILE} hostile ones`, value: p99(beside), unit: 'ms' },
    { name: `${name} by themselves`, value: p99(without), unit: 'ms' },
    { name: 'the one divided by the other', value: p99(beside) / p99(without), unit: '', target: MOST },
    {
      name: `RSS with these ${ALL} connections`,
      value: median(beside.map(({ highWater }) => highWater)) * MEGABYTES,
      unit: 'MB',
      target: 400,
    },
  ];
}

async function among(hostile: number, { root, cpu, installed, ...run }: StressOptions): Promise<Sample> {
  const more = ['--max-connections', String(2 * ALL), '--log-level', 'error'];
  await using team = await Team.start(root, { peers: ['9s'], cpu, installed, options: more });
  const [server] = team.peers;
  if (server === undefined) throw new Error('9s did not start');
  await using _ = await hostileClients(server.socket, hostile);
  return await load(server, getattr, { ...run, cpu, connections: ALL - HOSTILE });
}

/** In a process of their own, which the server's CPU does not run if there is another. */
async function hostileClients(socket: string, count: number): Promise<AsyncDisposable> {
  if (count === 0) return { [Symbol.asyncDispose]: async () => {} };
  const program = join(import.meta.dirname, 'hostile-clients.ts');
  const child = spawn(
    process.execPath,
    [
      '--conditions=@vm-tools/source',
      '--disable-warning=ExperimentalWarning',
      program,
      socket,
      String(count),
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const ended = once(child, 'exit');
  const dispose = async () => {
    child.kill();
    await ended;
  };
  const isThere = once(child.stdout, 'data');
  const first = await Promise.race([isThere.then(() => true), ended.then(() => false)]);
  if (!first) throw new Error('the hostile clients have ended before they were connected');
  return { [Symbol.asyncDispose]: dispose };
}
