import { figure, ratio, table } from '../table.ts';
import { caseName, isSequential, targetOf } from './case.ts';
import type { Chart } from './chart.ts';
import type { Verdict } from './guard.ts';
import type { Environment } from './machine.ts';
import { OURS, type PeerName } from './peer.ts';
import { isMet, type StressFigure } from './stress.ts';
import type { CaseResult, Ratio } from './summary.ts';

/** Everything that a run found out; what is written to the data file. */
export interface Results {
  readonly benchmark: '9p';
  readonly environment: Environment;
  readonly settings: { readonly rounds: number; readonly seconds: number; readonly warmup: number };
  /** Servers that did not take part, and why. */
  readonly absent: Readonly<Partial<Record<PeerName, string>>>;
  readonly cases: readonly CaseResult[];
  /** Empty when it was not asked for. */
  readonly stress: readonly StressFigure[];
  readonly charts: readonly Chart[];
}

const labels: Readonly<Record<PeerName, string>> = { '9s': '9s', limit9p: 'floor', diod: 'diod' };

/** CPU for an operation, and how it compares. */
export function costTable(cases: readonly CaseResult[]): string {
  const peers = measuredPeers(cases);
  return table(
    [
      'case',
      ...peers.map((name) => `${labels[name]} µs:`),
      '9s / floor:',
      'noise:',
      'target:',
      'met',
      ...(peers.includes('diod') ? ['diod / floor:'] : []),
    ],
    cases.map((result) => {
      const ours = result.ratios[OURS];
      const target = targetOf(result);
      return [
        caseName(result),
        ...peers.map((name) => figure(result.figures[name]?.cpu)),
        ratio(ours?.median),
        noise(ours),
        ratio(target),
        ours === undefined || target === undefined ? '' : Number(ratio(ours.median)) <= target ? 'yes' : 'no',
        ...(peers.includes('diod') ? [ratio(result.ratios.diod?.median)] : []),
      ];
    }),
  );
}

/** How fast, how long, how much memory: a row for each case and server. */
export function speedTable(cases: readonly CaseResult[]): string {
  return table(
    [
      'case',
      'server',
      'ops/s:',
      'MB/s:',
      'p50 µs:',
      'p99 µs:',
      'user µs:',
      'system µs:',
      'RSS MiB:',
      'granted msize:',
    ],
    cases.flatMap((result) =>
      measuredPeers([result]).map((name) => {
        const figures = result.figures[name];
        if (!figures) return [];
        return [
          caseName(result),
          labels[name],
          figure(figures.operationsPerSecond),
          figures.megabytesPerSecond === 0 ? '' : figure(figures.megabytesPerSecond),
          figure(figures.p50),
          figure(figures.p99),
          figure(figures.user),
          figure(figures.system),
          figure(figures.rss / 1024),
          isSequential(result.workload) ? String(figures.msize) : '',
        ];
      }),
    ),
  );
}

/** Figures that stand alone, with their targets. */
export function stressTable(figures: readonly StressFigure[]): string {
  return table(
    ['what', 'value:', 'at most:', 'met'],
    figures.map((one) => [
      one.name,
      `${figure(one.value)} ${one.unit}`.trim(),
      one.target === undefined ? '' : `${one.target} ${one.unit}`.trim(),
      { true: 'yes', false: 'no', undefined: '' }[String(isMet(one)) as 'true' | 'false' | 'undefined'],
    ]),
  );
}

export function guardTable(verdicts: readonly Verdict[]): string {
  return table(
    ['case', '9s / floor:', 'normal:', 'limit:', 'change:', 'verdict'],
    verdicts.map(({ one, ratio: measured, normal, limit, outcome }) => [
      caseName(one),
      ratio(measured),
      ratio(normal),
      ratio(limit),
      normal === undefined ? '' : percent(measured / normal - 1),
      { passed: 'passed', regressed: 'REGRESSED', unknown: 'NOT IN BASELINE' }[outcome],
    ]),
  );
}

/** What is left to say of servers that were not measured, or not in every case. */
export function remarks({ absent, cases }: Pick<Results, 'absent' | 'cases'>): string[] {
  return [
    ...Object.entries(absent).map(([name, why]) => `- Without ${name}: ${why}.`),
    ...cases.flatMap((result) =>
      Object.entries(result.failures).map(
        ([name, why]) => `- ${name} failed in ${caseName(result)}: ${why.split('\n')[0]}`,
      ),
    ),
  ];
}

const STRESS = [
  'Of 9s alone. RSS, in millions of bytes, is read while the clients work. The request that waits is an fsync of a filesystem that takes a second for it. ',
  'Of the hostile clients, who come before the others, a quarter each says nothing, sends a byte every 50 ms, sends nonsense and comes back when it ',
  'is thrown out, and asks for megabytes without ever taking an answer.',
].join('');

/** The report as Markdown. Charts are files beside it, named as in `chartFile`. */
export function report(results: Results): string {
  const { environment, settings } = results;
  const versions = Object.entries(environment.versions).map(([name, version]) => `${name} ${version}`);
  const notes = remarks(results);
  const parts = [
    '# 9P: what an operation costs',
    [
      `Measured on ${environment.date} with \`npm run bench -- 9p\`: ${settings.rounds} rounds in which all servers take turns, `,
      `${settings.seconds} s each after ${settings.warmup} s of warm-up; medians. Servers and load generator share CPU ${environment.cpu}.`,
    ].join(''),
    [
      `- ${environment.processor}, ${environment.processors} CPUs, ${figure(environment.memory / 2 ** 30)} GiB; `,
      `${environment.system}; files on ${environment.filesystem}; load average ${environment.load} when it began\n`,
      `- ${versions.join(', ')}`,
    ].join(''),
    'How to read this: [benchmarks/README.md](../README.md).',
    '## CPU of the server for an operation',
    [
      '"Floor" is a C server that does the least that an answer takes; "9s / floor" is the ratio of medians of this run, "noise" its least and ',
      'greatest value in single rounds. In sequential cases the ratio is of CPU for a byte, as servers grant different message sizes.',
    ].join(''),
    costTable(results.cases),
    ...(notes.length > 0 ? [notes.join('\n')] : []),
    '## Speed and memory',
    "A closed loop on one CPU: operations a second include the load generator's own work.",
    speedTable(results.cases),
    ...(results.stress.length > 0
      ? ['## Memory, waiting and hostile clients', STRESS, stressTable(results.stress)]
      : []),
    ...results.charts.flatMap((chart) => [
      `## ${chart.title}`,
      `![${chart.title}](${chartFile(chart)})`,
      chart.note,
      chartTable(chart),
    ]),
  ];
  return `${parts.join('\n\n')}\n`;
}

export function chartFile({ name }: Pick<Chart, 'name'>): string {
  return `9p-${name}.svg`;
}

/** The numbers that a chart shows: a row for each position on its x axis. */
export function chartTable(chart: Chart): string {
  const positions = [...new Set(chart.points.map(({ x }) => x))].sort((a, b) => a - b);
  const names = [...new Set(chart.points.map(({ series }) => series))];
  // A distribution is read the other way round: which latency belongs to which quantile.
  if (chart.y.isQuantile) {
    const quantiles = [...new Set(chart.points.map(({ y }) => y))].sort((a, b) => a - b);
    return table(
      [
        'quantile',
        ...names.map((name) => `${name} ${chart.x.unit ?? ''}`.trim()).map((title) => `${title}:`),
      ],
      quantiles.map((quantile) => [
        String(quantile),
        ...names.map((name) =>
          figure(chart.points.find(({ series, y }) => series === name && y === quantile)?.x),
        ),
      ]),
    );
  }
  return table(
    [`${chart.x.title}:`, ...names.map((name) => `${name}:`)],
    positions.map((position) => [
      position.toLocaleString('en-US'),
      ...names.map((name) =>
        figure(chart.points.find(({ series, x }) => series === name && x === position)?.y),
      ),
    ]),
  );
}

function noise(value: Ratio | undefined): string {
  return value === undefined ? '' : `${ratio(value.least)}-${ratio(value.greatest)}`;
}

function percent(change: number): string {
  // Not "-0".
  const whole = Math.round(change * 100) || 0;
  return `${whole < 0 ? '' : '+'}${whole} %`;
}

function measuredPeers(cases: readonly CaseResult[]): PeerName[] {
  return (Object.keys(labels) as PeerName[]).filter((name) =>
    cases.some(({ figures }) => figures[name] !== undefined),
  );
}
