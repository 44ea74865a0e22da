import type { Case } from '../src/9p/case.ts';
import type { Sample } from '../src/9p/load.ts';
import type { PeerName } from '../src/9p/peer.ts';
import type { Measured } from '../src/9p/summary.ts';

/** A sample as the load generator could have made it. */
export function sample(cpu: number, more: Partial<Sample> = {}): Sample {
  return {
    msize: 65_560,
    size: 4096,
    operations: 1000,
    operationsPerSecond: 1e6 / (2 * cpu),
    megabytesPerSecond: 0,
    p50: 2 * cpu,
    p99: 4 * cpu,
    cpu,
    user: cpu / 4,
    system: (cpu * 3) / 4,
    rss: 20_480,
    highWater: 20_480,
    threads: 1,
    ...more,
  };
}

/** A case measured with these samples. */
export function measuredCase(
  one: Case,
  samples: Partial<Record<PeerName, readonly Sample[]>>,
  failures: Partial<Record<PeerName, string>> = {},
): Measured {
  const list = Object.entries(samples) as [PeerName, readonly Sample[]][];
  return {
    one,
    samples: new Map(list.map(([name, each]) => [name, [...each]])),
    failures: new Map(Object.entries(failures) as [PeerName, string][]),
  };
}
