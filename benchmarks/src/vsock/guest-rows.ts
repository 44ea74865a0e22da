import { fileURLToPath } from 'node:url';
import { type Guest, type GuestProgram, guestProgram } from '@vm-tools/guest';
import { median } from '../median.ts';
import { nativeProgram } from '../native-program.ts';
import type { Row } from './row.ts';
import type { Work } from './transfers.ts';

const C_PROGRAM = '/opt/bench-vsock/stream';

/** How much is measured. */
export interface Effort {
  readonly mebibytes: number;
  readonly bounces: number;
  readonly rounds: number;
  readonly signal: AbortSignal;
}

/** One measurement of each, made one after the other. */
interface Sample {
  readonly work: Work;
  readonly kind: 'vsock' | 'unix';
  readonly round: number;
  readonly amount: number;
  /** Seconds. */
  readonly c: number;
  readonly node: number;
}

/** What runs in the guest: Node.js and C. */
export function streamProgram(): GuestProgram {
  const program = guestProgram(fileURLToPath(new URL('./guest-program.ts', import.meta.url)), 'bench-vsock');
  return { ...program, files: { ...program.files, [C_PROGRAM]: nativeProgram('stream') } };
}

/** @param program `streamProgram()`, with whose files the guest was booted */
export async function guestRows(guest: Guest, program: GuestProgram, effort: Effort): Promise<Row[]> {
  const { mebibytes, bounces, rounds, signal } = effort;
  const argv = ['/usr/local/bin/node', program.path, C_PROGRAM, ...[mebibytes, bounces, rounds].map(String)];
  const output = await guest.run(argv, { timeoutMs: 3_600_000, signal });
  const samples = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Sample);
  const of = (work: Work, kind: Sample['kind']) =>
    samples.filter((sample) => sample.work === work && sample.kind === kind);
  return [
    bulkRow('sending', of('send', 'vsock'), 0.75),
    bulkRow('receiving into one buffer (onread)', of('receive-onread', 'vsock'), 0.8),
    bulkRow('receiving by data events', of('receive', 'vsock'), ratioOf(of('receive', 'unix'))),
    bulkRow('the same, on a Unix socket', of('receive', 'unix'), undefined),
    roundTripRow(of('bounce', 'vsock'), of('bounce', 'unix')),
  ];
}

/** How much of C's throughput Node.js reaches. */
function ratioOf(samples: readonly Sample[]): number {
  return median(samples.map(({ c, node }) => c / node));
}

function bulkRow(what: string, samples: readonly Sample[], target: number | undefined): Row {
  const rate = (who: 'c' | 'node') => median(samples.map((sample) => sample.amount / sample[who] / 1e6));
  const ratios = samples.map(({ c, node }) => c / node);
  return {
    what,
    ours: `${rate('node').toFixed(0)} MB/s`,
    other: `C ${rate('c').toFixed(0)} MB/s`,
    ratio: ratioOf(samples),
    least: Math.min(...ratios),
    greatest: Math.max(...ratios),
    ...(target === undefined ? {} : { target, isAtLeast: true }),
  };
}

/** At most 1.25 times C's over vsock, and what a socket of Node.js adds over C on a Unix socket. */
function roundTripRow(vsock: readonly Sample[], unix: readonly Sample[]): Row {
  const micros = (samples: readonly Sample[], who: 'c' | 'node') =>
    median(samples.map((sample) => (sample[who] / sample.amount) * 1e6));
  const [ours, c] = [micros(vsock, 'node'), micros(vsock, 'c')];
  const allowed = 1.25 * c + micros(unix, 'node') - micros(unix, 'c');
  const ratios = vsock.map((sample) => sample.node / sample.c);
  return {
    what: `1-byte round trip (allowed: 1.25 x C + ${(micros(unix, 'node') - micros(unix, 'c')).toFixed(0)} µs that a Unix socket adds)`,
    ours: `${ours.toFixed(0)} µs`,
    other: `C ${c.toFixed(0)} µs`,
    ratio: ours / c,
    least: Math.min(...ratios),
    greatest: Math.max(...ratios),
    target: allowed / c,
    isAtLeast: false,
  };
}
