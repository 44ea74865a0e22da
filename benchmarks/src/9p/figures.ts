import { median } from '../median.ts';
import { nativeProgram } from '../native-program.ts';
import { caseName, type Workload } from './case.ts';
import type { Axis, Chart, Point } from './chart.ts';
import { directoryFixture } from './fixture.ts';
import type { Sample } from './load.ts';
import { type MeasureOptions, measure } from './measure.ts';
import type { Peer, PeerName } from './peer.ts';
import type { Measured } from './summary.ts';

export interface ChartOptions extends Omit<MeasureOptions, 'program'> {
  /** The servers, on the fixture that all cases use. */
  readonly peers: readonly Peer[];
  /** Runs something with the same servers on another tree. */
  readonly withPeers: <T>(root: string, use: (peers: readonly Peer[]) => Promise<T>) => Promise<T>;
}

const MSIZES = [8, 16, 32, 64, 128, 256, 512, 1024].map((kibibytes) => kibibytes * 1024);
const DEPTHS = [1, 2, 4, 8, 16, 32, 64];
/** The line that p9load.c has it in; names have five digits, so that 100,000 is the most. */
const ENTRIES = [100, 1000, 10_000, 100_000];
const ENTRIES_LINE = '#define BIG_ENTRIES 10000 ';

const labels: Readonly<Record<PeerName, string>> = { '9s': '9s', limit9p: 'C floor', diod: 'diod' };

/** Measures what charts show beyond the table. */
export async function measureCharts(options: ChartOptions): Promise<Chart[]> {
  const charts = [
    await throughput('readseq', 'Sequential reads', options),
    await throughput('writeseq', 'Sequential writes', options),
    await operationsByDepth('getattr', options),
    await operationsByDepth('read4k', options),
    await readdirByEntries(options),
    await latencies('getattr', 1, options),
    await latencies('mixed', 16, options),
  ];
  const how = `Medians of ${options.rounds} rounds of ${options.seconds} s.`;
  return charts.map((chart) => ({ ...chart, note: `${chart.note} ${how}` }));
}

async function throughput(workload: Workload, what: string, options: ChartOptions): Promise<Chart> {
  const plan = MSIZES.map((msize) => ({ workload, depth: 1, msize }));
  const measured = await measure(options.peers, plan, options);
  return {
    name: workload,
    title: `${what} against message size`,
    note: `MB/s, one request in flight, server and client on one CPU. diod grants 64 KiB at most.${missing(measured)}`,
    x: { title: 'message size asked for', isLogarithmic: true, isBytes: true },
    y: { title: 'MB/s' },
    points: points(
      measured,
      ({ one }) => one.msize,
      ({ megabytesPerSecond }) => megabytesPerSecond,
    ),
  };
}

async function operationsByDepth(workload: Workload, options: ChartOptions): Promise<Chart> {
  const plan = DEPTHS.map((depth) => ({ workload, depth, msize: 65_560 }));
  const measured = await measure(options.peers, plan, options);
  return {
    name: `${workload}-depth`,
    title: `${workload} against requests in flight`,
    note: `Operations a second, server and client on one CPU.${missing(measured)}`,
    x: { title: 'requests in flight', isLogarithmic: true },
    y: { title: 'operations a second' },
    points: points(
      measured,
      ({ one }) => one.depth,
      ({ operationsPerSecond }) => operationsPerSecond,
    ),
  };
}

async function readdirByEntries({ withPeers, ...options }: ChartOptions): Promise<Chart> {
  const all: Point[] = [];
  const measuredAll: Measured[] = [];
  for (const entries of ENTRIES) {
    const program = nativeProgram('p9load', {
      from: ENTRIES_LINE,
      to: `#define BIG_ENTRIES ${entries} `,
    });
    const measured = await withPeers(
      directoryFixture(entries),
      async (peers) =>
        await measure(peers, [{ workload: 'readdir', depth: 1, msize: 65_560 }], { ...options, program }),
    );
    measuredAll.push(...measured);
    all.push(
      ...points(
        measured,
        () => entries,
        ({ p50 }) => p50 / 1000,
      ),
    );
  }
  return {
    name: 'readdir',
    title: 'Listing a directory against its size',
    note: `Median milliseconds for opening, reading to the end and closing; message size 65,560.${missing(measuredAll)}`,
    x: { title: 'entries', isLogarithmic: true },
    y: { title: 'milliseconds', isLogarithmic: true },
    points: all,
  };
}

async function latencies(workload: Workload, depth: number, options: ChartOptions): Promise<Chart> {
  const one = { workload, depth, msize: 65_560 };
  const measured = await measure(options.peers, [one], { ...options, program: nativeProgram('latency') });
  const x: Axis = { title: 'latency', unit: 'µs', isLogarithmic: true };
  return {
    name: `${workload}-latency`,
    title: `Latency of ${caseName(one)}`,
    note: `Fraction of operations that took no longer; server and client on one CPU.${missing(measured)}`,
    x,
    y: { title: 'operations', isQuantile: true },
    points: measured.flatMap(({ samples }) =>
      [...samples].flatMap(([name, list]) =>
        Object.keys(list[0]?.quantiles ?? {}).map((quantile) => ({
          series: labels[name],
          x: median(list.map(({ quantiles }) => quantiles?.[quantile] as number)),
          y: Number(quantile),
        })),
      ),
    ),
  };
}

/** Why a server has no line, or points missing in it: one sentence each, the first failure of each server. */
export function missing(measured: readonly Measured[]): string {
  const first = new Map<PeerName, string>();
  for (const { failures } of measured) {
    for (const [name, why] of failures) if (!first.has(name)) first.set(name, why.split('\n')[0] as string);
  }
  return [...first].map(([name, why]) => ` ${name} failed: ${why}.`).join('');
}

/** A point for each case and server: medians over the rounds. */
export function points(
  measured: readonly Measured[],
  x: (one: Measured) => number,
  y: (sample: Sample) => number,
): Point[] {
  return measured.flatMap((one) =>
    [...one.samples]
      .filter(([, samples]) => samples.length > 0)
      .map(([name, samples]) => ({ series: labels[name], x: x(one), y: median(samples.map(y)) })),
  );
}
