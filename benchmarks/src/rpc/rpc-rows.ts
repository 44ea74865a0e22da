import { fileURLToPath } from 'node:url';
import { type Guest, type GuestProgram, guestProgram } from '@vm-tools/guest';
import { median } from '../median.ts';
import type { Row } from '../vsock/row.ts';

export interface RpcOptions {
  readonly seconds: number;
  readonly rounds: number;
  readonly signal?: AbortSignal;
}

interface Workload {
  readonly what: string;
  readonly unit: 'MB/s' | 'calls/s';
  readonly target: number;
}

const workloads: Readonly<Record<string, Workload>> = {
  'http2-download': { what: 'HTTP/2, one download', unit: 'MB/s', target: 0.8 },
  'rpc-sequential': { what: 'unary RPC, one at a time', unit: 'calls/s', target: 0.95 },
  'rpc-concurrent': { what: 'unary RPC, 16 at once', unit: 'calls/s', target: 0.95 },
};

/** What runs in the guest, which must have its files, Node.js and `vsock_loopback`. */
export function rpcProgram(): GuestProgram {
  return guestProgram(fileURLToPath(new URL('./guest-program.ts', import.meta.url)), 'bench-rpc');
}

interface Sample {
  readonly workload: string;
  readonly kind: 'unix' | 'vsock';
  readonly round: number;
  readonly value: number;
}

/**
 * HTTP/2 and RPC over AF_VSOCK, beside the same over a Unix socket of the same guest.
 * @param program `rpcProgram()`, with whose files the guest was booted
 */
export async function rpcRows(
  guest: Guest,
  program: GuestProgram,
  { seconds, rounds, signal }: RpcOptions,
): Promise<Row[]> {
  const argv = ['/usr/local/bin/node', program.path, 'measure', String(seconds), String(rounds)];
  const timeoutMs = 240_000 + seconds * (rounds + 2) * 6 * 2_000;
  const output = await guest.run(argv, { timeoutMs, ...(signal ? { signal } : {}) });
  const samples = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Sample);
  return Object.entries(workloads).map(([name, workload]) => {
    const own = samples.filter((sample) => sample.workload === name).toSorted((a, b) => a.round - b.round);
    return rowOf(workload, own);
  });
}

function rowOf({ what, unit, target }: Workload, samples: readonly Sample[]): Row {
  const of = (kind: Sample['kind']) =>
    samples.filter((sample) => sample.kind === kind).map(({ value }) => value);
  const [vsock, unix] = [of('vsock'), of('unix')];
  const ratios = vsock.map((value, round) => value / (unix[round] as number));
  const text = (values: number[]) => `${(median(values) * (unit === 'MB/s' ? 1e-6 : 1)).toFixed(0)} ${unit}`;
  return {
    what,
    ours: text(vsock),
    other: `Unix ${text(unix)}`,
    ratio: median(ratios), // of neighbours in time: what comes and goes on the machine is in both
    least: Math.min(...ratios),
    greatest: Math.max(...ratios),
    target,
    isAtLeast: true,
  };
}
