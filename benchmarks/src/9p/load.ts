import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { nativeProgram } from '../native-program.ts';
import { type Case, caseName } from './case.ts';
import { type Peer, spawnError } from './peer.ts';

const run = promisify(execFile);

/** What one run of the load generator says. Times in microseconds, memory in KiB. */
export interface Sample {
  /** Granted by the server. */
  readonly msize: number;
  /** Payload of one read or write, in bytes. */
  readonly size: number;
  readonly operations: number;
  readonly operationsPerSecond: number;
  /** Millions of bytes. */
  readonly megabytesPerSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** CPU time of the server for an operation, all its threads. */
  readonly cpu: number;
  readonly user: number;
  readonly system: number;
  readonly rss: number;
  readonly highWater: number;
  readonly threads: number;
  /** Latencies by quantile, from the `latency` program alone. */
  readonly quantiles?: Readonly<Record<string, number>>;
}

export interface LoadOptions {
  readonly cpu: number;
  readonly seconds: number;
  readonly warmup: number;
  readonly signal: AbortSignal;
  /** How many connections, each with as many requests in flight as the case says; default 1. */
  readonly connections?: number;
  /** Default: p9load. */
  readonly program?: string;
}

/**
 * Loads a server with one case, and checks its every answer.
 *
 * @throws Error with what the load generator and the server said, when an answer was wrong
 */
export async function load(peer: Peer, one: Case, options: LoadOptions): Promise<Sample> {
  const argv = [
    ['--unix', peer.socket],
    ['--aname', peer.aname],
    ['--unlink', peer.unlink],
    ['--uid', String(process.getuid?.() ?? 0)],
    ['--server-pid', String(peer.pid)],
    ['--workload', one.workload],
    ['--qd', String(one.depth)],
    ['--msize', String(one.msize)],
    ['--conns', String(options.connections ?? 1)],
    ['--seconds', String(options.seconds)],
    ['--warmup', String(options.warmup)],
  ].flat();
  const program = options.program ?? nativeProgram('p9load');
  try {
    const { stdout } = await run('taskset', ['-c', String(options.cpu), program, ...argv], {
      signal: options.signal,
    });
    return parseSample(stdout);
  } catch (error) {
    options.signal.throwIfAborted();
    const { stderr } = error as { stderr?: string };
    if (stderr === undefined) throw spawnError(error as Error);
    const ended = peer.hasEnded ? ` (${peer.name} has ended with ${peer.ending})` : '';
    const said = peer.said && `\n${peer.name} said:\n${peer.said}`;
    throw new Error(
      `${caseName(one)} against ${peer.name}: ${stderr.trim() || (error as Error).message}${ended}${said}`,
      { cause: error },
    );
  }
}

/**
 * Reads what the load generator prints: a JSON object, and one with quantiles if it is the `latency` program.
 *
 * @throws Error when something is missing
 */
export function parseSample(output: string): Sample {
  const [first = '', second] = output.trim().split('\n');
  const fields = JSON.parse(first) as Record<string, unknown>;
  const field = (name: string): number => {
    const value = fields[name];
    if (typeof value !== 'number')
      throw new Error(`the load generator printed no number "${name}": ${first}`);
    return value;
  };
  return {
    msize: field('msize'),
    size: field('size'),
    operations: field('ops'),
    operationsPerSecond: field('ops_per_s'),
    megabytesPerSecond: field('MB_per_s'),
    p50: field('p50_us'),
    p99: field('p99_us'),
    cpu: field('server_cpu_us_per_op'),
    user: field('server_user_us'),
    system: field('server_sys_us'),
    rss: field('server_rss_kb'),
    highWater: field('server_hwm_kb'),
    threads: field('server_threads'),
    ...(second === undefined
      ? {}
      : { quantiles: (JSON.parse(second) as { quantiles: Record<string, number> }).quantiles }),
  };
}
