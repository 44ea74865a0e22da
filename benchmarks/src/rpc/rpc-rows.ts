import { fileURLToPath } from 'node:url';
import { type Guest, type GuestProgram, guestProgram } from '@vm-tools/guest';
import { median } from '../9p/median.ts';

/** What is carried, over AF_VSOCK and over a Unix socket of the same guest. */
export interface RpcRow {
  readonly workload: string;
  readonly unit: 'MB/s' | 'calls/s';
  readonly vsock: number;
  readonly unix: number;
  /** The medians' ratio, and the least and greatest of single rounds. */
  readonly ratio: number;
  readonly least: number;
  readonly greatest: number;
  /** The least ratio that we aim at. */
  readonly target: number;
}

export interface RpcOptions {
  readonly seconds: number;
  readonly rounds: number;
  readonly signal?: AbortSignal;
}

const workloads: Readonly<Record<string, Pick<RpcRow, 'workload' | 'unit' | 'target'>>> = {
  'http2-download': { workload: 'HTTP/2, one download', unit: 'MB/s', target: 0.8 },
  'rpc-sequential': { workload: 'unary RPC, one at a time', unit: 'calls/s', target: 0.95 },
  'rpc-concurrent': { workload: 'unary RPC, 16 at once', unit: 'calls/s', target: 0.95 },
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

/** @param program `rpcProgram()`, with whose files the guest was booted */
export async function rpcRows(
  guest: Guest,
  program: GuestProgram,
  { seconds, rounds, signal }: RpcOptions,
): Promise<RpcRow[]> {
  const argv = ['/usr/local/bin/node', program.path, 'measure', String(seconds), String(rounds)];
  const timeoutMs = 120_000 + seconds * (rounds + 2) * 6 * 2_000;
  const output = await guest.run(argv, { timeoutMs, ...(signal ? { signal } : {}) });
  const samples = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Sample);
  return Object.keys(workloads).map((name) => rowOf(name, samples));
}

function rowOf(name: string, samples: readonly Sample[]): RpcRow {
  const of = (kind: Sample['kind']) =>
    samples
      .filter((sample) => sample.workload === name && sample.kind === kind)
      .toSorted((a, b) => a.round - b.round)
      .map(({ value }) => value);
  const [vsock, unix] = [of('vsock'), of('unix')];
  const ratios = vsock.map((value, round) => value / (unix[round] as number));
  const facts = workloads[name] as (typeof workloads)[string];
  const scale = facts.unit === 'MB/s' ? 1e-6 : 1;
  return {
    ...facts,
    vsock: median(vsock) * scale,
    unix: median(unix) * scale,
    ratio: median(vsock) / median(unix),
    least: Math.min(...ratios),
    greatest: Math.max(...ratios),
  };
}

/** As a table in Markdown. */
export function rpcTable(rows: readonly RpcRow[]): string {
  const head = ['workload', 'AF_VSOCK', 'Unix socket', 'ratio', 'of single rounds', 'target'];
  const lines = rows.map(({ workload, unit, vsock, unix, ratio, least, greatest, target }) => [
    workload,
    `${vsock.toFixed(0)} ${unit}`,
    `${unix.toFixed(0)} ${unit}`,
    ratio.toFixed(2),
    `${least.toFixed(2)}-${greatest.toFixed(2)}`,
    `${target} ${ratio >= target ? 'reached' : 'MISSED'}`,
  ]);
  return [head, ['---', '--:', '--:', '--:', '--:', '---'], ...lines]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}
