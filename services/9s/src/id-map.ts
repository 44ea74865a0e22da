import { UsageError } from '@vm-tools/daemon';
import type { IdPair } from './program.ts';

/** The pairs as a map, host to client. Neither side may have an id twice: one of the two ways would be a guess. */
export function idMap(option: string, pairs: readonly IdPair[]): ReadonlyMap<number, number> {
  const map = new Map<number, number>();
  const clients = new Set<number>();
  for (const [host, client] of pairs) {
    const twice = map.has(host) ? `host id ${host}` : clients.has(client) ? `client id ${client}` : undefined;
    if (twice !== undefined) {
      throw new UsageError({
        code: 'ERR_CONFLICTING_OPTIONS',
        subject: option,
        problem: `${twice} is mapped twice`,
        remedy: 'map each id once',
      });
    }
    map.set(host, client);
    clients.add(client);
  }
  return map;
}
