import { median } from '../median.ts';
import { type Case, isSequential } from './case.ts';
import type { Sample } from './load.ts';
import { FLOOR, type PeerName } from './peer.ts';

/** What one server did in one case: the median of each figure over the rounds. */
export interface Figures extends Omit<Sample, 'quantiles' | 'operations'> {
  readonly rounds: number;
}

export interface Ratio {
  /** Median CPU for an operation, in multiples of the floor's. */
  readonly median: number;
  /** The least and the greatest of the single rounds: how much noise there was. */
  readonly least: number;
  readonly greatest: number;
}

export interface CaseResult extends Case {
  readonly figures: Readonly<Partial<Record<PeerName, Figures>>>;
  /** Of each server but the floor. */
  readonly ratios: Readonly<Partial<Record<PeerName, Ratio>>>;
  /** Servers that did not answer as they should, and what was wrong. */
  readonly failures: Readonly<Partial<Record<PeerName, string>>>;
}

/** What was measured of one case: a server's samples, one a round, in the order of the rounds. */
export interface Measured {
  readonly one: Case;
  readonly samples: Map<PeerName, Sample[]>;
  readonly failures: Map<PeerName, string>;
}

export function summarize({ one, samples, failures }: Measured): CaseResult {
  const floor = samples.get(FLOOR) ?? [];
  const figures: Partial<Record<PeerName, Figures>> = {};
  const ratios: Partial<Record<PeerName, Ratio>> = {};
  for (const [name, list] of samples) {
    if (list.length === 0) continue;
    figures[name] = figuresOf(list);
    if (name !== FLOOR && floor.length > 0) ratios[name] = ratioOf(one, list, floor);
  }
  return { ...one, figures, ratios, failures: Object.fromEntries(failures) };
}

function figuresOf(samples: readonly Sample[]): Figures {
  const of = (read: (sample: Sample) => number): number => median(samples.map(read));
  return {
    rounds: samples.length,
    msize: of(({ msize }) => msize),
    size: of(({ size }) => size),
    operationsPerSecond: of(({ operationsPerSecond }) => operationsPerSecond),
    megabytesPerSecond: of(({ megabytesPerSecond }) => megabytesPerSecond),
    p50: of(({ p50 }) => p50),
    p99: of(({ p99 }) => p99),
    cpu: of(({ cpu }) => cpu),
    user: of(({ user }) => user),
    system: of(({ system }) => system),
    rss: of(({ rss }) => rss),
    highWater: of(({ highWater }) => highWater),
    threads: of(({ threads }) => threads),
  };
}

/**
 * The ratio of two servers' medians, with what the single rounds say.
 *
 * @throws Error when the window was so short that no CPU time was counted
 */
export function ratioOf(one: Case, samples: readonly Sample[], floor: readonly Sample[]): Ratio {
  const costs = samples.map((sample) => cost(one, sample));
  const floors = floor.map((sample) => cost(one, sample));
  const base = median(floors);
  if (!(base > 0)) {
    throw new Error(
      `no CPU time of the floor was counted in ${one.workload}, depth ${one.depth}: use longer --seconds`,
    );
  }
  const single = costs.flatMap((value, round) => {
    const below = floors[round];
    return below === undefined || below <= 0 ? [] : [value / below];
  });
  return { median: median(costs) / base, least: Math.min(...single), greatest: Math.max(...single) };
}

/** CPU for an operation; for a byte where servers that grant different message sizes move different amounts in one. */
function cost({ workload }: Case, { cpu, size }: Sample): number {
  return isSequential(workload) ? cpu / size : cpu;
}
