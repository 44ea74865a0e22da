import { type Case, caseName } from './case.ts';
import { type LoadOptions, load } from './load.ts';
import { FLOOR, OURS, type Peer } from './peer.ts';
import type { Measured } from './summary.ts';

export interface MeasureOptions extends LoadOptions {
  readonly rounds: number;
  readonly onProgress?: (text: string) => void;
}

/**
 * Measures all cases of all servers. In each round the servers take turns case by case, and another one begins each time, so that
 * whatever else the machine does meanwhile happens to all of them.
 *
 * @throws Error when ours or the floor answers wrongly; another server's failure is part of the result
 */
export async function measure(
  peers: readonly Peer[],
  plan: readonly Case[],
  { rounds, onProgress, ...options }: MeasureOptions,
): Promise<Measured[]> {
  const measured = plan.map(
    (one): Measured => ({
      one,
      samples: new Map(peers.map(({ name }) => [name, []])),
      failures: new Map(),
    }),
  );
  for (let round = 0; round < rounds; round++) {
    for (const [index, { one, samples, failures }] of measured.entries()) {
      onProgress?.(`round ${round + 1}/${rounds}: ${caseName(one)} (${index + 1}/${plan.length})`);
      for (const peer of rotated(peers, round + index)) {
        if (failures.has(peer.name)) continue;
        try {
          samples.get(peer.name)?.push(await load(peer, one, options));
        } catch (error) {
          options.signal.throwIfAborted();
          if (peer.name === OURS || peer.name === FLOOR) throw error;
          failures.set(peer.name, (error as Error).message);
          samples.set(peer.name, []);
        }
      }
    }
  }
  return measured;
}

function rotated<T>(list: readonly T[], by: number): T[] {
  const at = by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}
