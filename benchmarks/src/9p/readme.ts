import { ratio, table } from '../table.ts';
import { type Case, isSequential, MSIZE_64K } from './case.ts';
import { chartFile, type Results } from './report.ts';
import type { CaseResult } from './summary.ts';

/** A README that shows a summary of the results, between two comments. */
export interface Readme {
  /** From the root of the repository. */
  readonly file: string;
  /** Names of charts that it shows; the file must be read where the repository is. */
  readonly charts: readonly string[];
}

export const readmes: readonly Readme[] = [
  { file: 'README.md', charts: ['getattr-depth', 'readseq'] },
  { file: 'libs/p9-protocol/README.md', charts: [] },
];

const BEGIN = '<!-- summary of benchmarks/results/9p.json: npm run bench -- 9p --render -->';
const END = '<!-- end of the summary -->';
const DEPTHS = [1, 16];

/**
 * The text of a README with the summary of these results in its place.
 *
 * @throws Error when the comments are not there, once each
 */
export function withSummary(text: string, { file, charts }: Readme, results: Results): string {
  const [before, rest, ...more] = text.split(BEGIN);
  const [, after, ...evenMore] = (rest ?? '').split(END);
  if (before === undefined || after === undefined || more.length > 0 || evenMore.length > 0) {
    throw new Error(`${file} must hold these two lines once each:\n${BEGIN}\n${END}`);
  }
  const shown = results.charts.filter(({ name }) => charts.includes(name));
  const parts = [
    BEGIN,
    summary(results),
    ...shown.map((chart) => `![${chart.title}](benchmarks/results/${chartFile(chart)})`),
    END,
  ];
  return `${before}${parts.join('\n\n')}${after}`;
}

/** The ratios to the floor: a row for each workload. */
function summary({ cases, environment }: Results): string {
  const names = [...new Set(cases.map(nameOf))];
  const find = (name: string, depth: number) =>
    cases.find((one) => nameOf(one) === name && one.depth === depth);
  return [
    [
      'CPU that the server takes for an operation, in multiples of what a C server takes that does the least an answer needs, with as ',
      `many requests in flight as "depth" says. ${environment.processor}, ${environment.system}, ${environment.date}.`,
    ].join(''),
    table(
      ['workload', ...DEPTHS.flatMap((depth) => [`9s, depth ${depth}:`, `diod, depth ${depth}:`])],
      names.map((name) => [
        name,
        ...DEPTHS.flatMap((depth) => [ours(find(name, depth)), diods(find(name, depth))]),
      ]),
    ),
  ].join('\n\n');
}

function ours(result: CaseResult | undefined): string {
  return ratio(result?.ratios['9s']?.median);
}

function diods(result: CaseResult | undefined): string {
  return ratio(result?.ratios.diod?.median);
}

const titles: Readonly<Partial<Record<Case['workload'], string>>> = {
  getattr: 'attributes of a file',
  walk: 'walk of three names',
  stat: 'walk and attributes',
  openread: 'walk, open, read, close',
  read4k: 'read 4 KiB',
  write4k: 'write 4 KiB',
  readseq: 'read in sequence',
  writeseq: 'write in sequence',
  readdir: 'list 10,000 entries',
  create: 'create, write, unlink',
  mixed: 'all of it mixed',
};

function nameOf({ workload, msize }: Case): string {
  const title = titles[workload] ?? workload;
  if (!isSequential(workload)) return title;
  return `${title}, ${msize === MSIZE_64K ? '64 KiB' : '1 MiB'}`;
}
