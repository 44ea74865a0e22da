import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { cache, repository } from '../folders.ts';
import { compilerVersion } from '../native-program.ts';
import { type PeerName, peerVersion } from './peer.ts';

/** What has to be known of a machine to compare figures with those of another. */
export interface Environment {
  /** Day of the run. */
  readonly date: string;
  readonly processor: string;
  readonly processors: number;
  /** Bytes. */
  readonly memory: number;
  readonly system: string;
  /** That the fixture is on. */
  readonly filesystem: string;
  /** Load average over a minute, before the run. */
  readonly load: number;
  /** The one that was used. */
  readonly cpu: number;
  readonly versions: Readonly<Record<string, string>>;
}

export function environment(cpu: number, peers: readonly PeerName[], source: boolean): Environment {
  return {
    date: new Date().toISOString().slice(0, 10),
    processor: cpus()[0]?.model.trim() ?? 'unknown processor',
    processors: availableParallelism(),
    memory: totalmem(),
    system: `Linux ${release()}`,
    filesystem: output('stat', ['-f', '-c', '%T', cache]) ?? 'an unknown filesystem',
    load: Number(loadavg()[0]?.toFixed(2)),
    cpu,
    versions: {
      node: process.version,
      ...Object.fromEntries(peers.map((name) => [name, peerVersion(name)])),
      ...(source ? { '9s': `${peerVersion('9s')} (from the sources)` } : {}),
      commit: output('git', ['-C', repository, 'describe', '--always', '--dirty']) ?? 'unknown',
      compiler: compilerVersion(),
    },
  };
}

/** The last CPU that this process may use: the first ones get most interrupts. */
export function lastCpu(): number {
  const status = readFileSync('/proc/self/status', 'utf8');
  const last = /^Cpus_allowed_list:.*?(\d+)$/m.exec(status)?.[1];
  if (last === undefined) throw new Error('/proc/self/status names no CPU: use --cpu');
  return Number(last);
}

function output(program: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}
