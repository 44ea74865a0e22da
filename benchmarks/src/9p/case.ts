import { readFileSync } from 'node:fs';

/** What the load generator can do: its header says what requests each is made of. */
export const workloads = [
  'getattr',
  'walk',
  'stat',
  'openread',
  'read4k',
  'write4k',
  'readseq',
  'writeseq',
  'readdir',
  'create',
  'mixed',
] as const;
export type Workload = (typeof workloads)[number];

/** 64 KiB and 1 MiB of payload, and the 24 bytes that Linux' client reserves for the header of a Tread or Twrite. */
export const MSIZE_64K = 65_560;
export const MSIZE_1M = 1_048_600;

/** One thing that is measured of every server. */
export interface Case {
  readonly workload: Workload;
  /** Requests in flight. */
  readonly depth: number;
  /** Asked for; a server may grant less. */
  readonly msize: number;
}

/** Names a case for people and in data files; sequential ones are told apart by their payload. */
export function caseName({ workload, depth, msize }: Case): string {
  return `${subject(workload, msize)}, depth ${depth}`;
}

/** Whether one operation moves as much as the message size allows, so that its cost is one for bytes. */
export function isSequential(workload: Workload): boolean {
  return workload.endsWith('seq');
}

function subject(workload: Workload, msize: number): string {
  if (!isSequential(workload)) return msize === MSIZE_64K ? workload : `${workload} (msize ${msize})`;
  if (msize === MSIZE_64K) return `${workload} 64 KiB`;
  if (msize === MSIZE_1M) return `${workload} 1 MiB`;
  return `${workload} (msize ${msize})`;
}

/** Every combination; message sizes beyond the first are for sequential workloads alone. */
export function cases(
  names: readonly Workload[],
  depths: readonly number[],
  msizes: readonly number[] = [MSIZE_64K],
): Case[] {
  return names.flatMap((workload) =>
    (isSequential(workload) ? msizes : msizes.slice(0, 1)).flatMap((msize) =>
      depths.map((depth) => ({ workload, depth, msize })),
    ),
  );
}

/** Everything. */
export const fullPlan: readonly Case[] = cases(workloads, [1, 16], [MSIZE_64K, MSIZE_1M]);

/** A case for each kind of work: what the guard watches, and what `--short` measures. */
export const shortPlan: readonly Case[] = [
  ...cases(['getattr', 'walk'], [1, 16]),
  ...cases(['openread', 'readseq', 'readdir', 'create'], [1]),
  ...cases(['read4k', 'write4k'], [16]),
];

const targets: Readonly<Record<string, Readonly<Record<string, number>>>> = JSON.parse(
  readFileSync(new URL('./targets.json', import.meta.url), 'utf8'),
);

/** The most CPU that we want an operation to cost, as a multiple of the floor's; nothing where we set ourselves no target. */
export function targetOf({ workload, depth, msize }: Case): number | undefined {
  return targets[subject(workload, msize)]?.[depth];
}
