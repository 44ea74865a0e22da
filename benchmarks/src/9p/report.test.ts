import { expect, test } from 'vitest';
import { measuredCase, sample } from '../../test/sample.ts';
import { figure, table } from '../table.ts';
import type { Case } from './case.ts';
import type { Chart } from './chart.ts';
import { chartTable, costTable, type Results, report, speedTable } from './report.ts';
import { summarize } from './summary.ts';

const getattr: Case = { workload: 'getattr', depth: 1, msize: 65_560 };
const readseq: Case = { workload: 'readseq', depth: 1, msize: 1_048_600 };
const cases = [
  summarize(
    measuredCase(getattr, {
      '9s': [sample(8), sample(9)],
      limit9p: [sample(8), sample(8)],
      diod: [sample(16), sample(16)],
    }),
  ),
  summarize(
    measuredCase(
      readseq,
      {
        '9s': [sample(90, { msize: 1_048_576, size: 1_048_552, megabytesPerSecond: 4321.9 })],
        limit9p: [sample(60, { msize: 1_048_576, size: 1_048_552, megabytesPerSecond: 6000 })],
        diod: [],
      },
      { diod: 'server closed the connection\nmore' },
    ),
  ),
];
const chart: Chart = {
  name: 'depth',
  title: 'getattr against requests in flight',
  note: 'Operations a second.',
  x: { title: 'requests in flight', isLogarithmic: true },
  y: { title: 'operations a second' },
  points: [
    { series: '9s', x: 1, y: 20_000 },
    { series: '9s', x: 16, y: 300_000 },
    { series: 'C floor', x: 16, y: 400_000 },
  ],
};
const results: Results = {
  benchmark: '9p',
  environment: {
    date: '2030-01-02',
    processor: 'A processor',
    processors: 2,
    memory: 8 * 2 ** 30,
    system: 'Linux 6',
    filesystem: 'ext2/ext3',
    load: 0.1,
    cpu: 1,
    versions: { node: 'v24.0.0', '9s': '0.1.0' },
  },
  settings: { rounds: 2, seconds: 1, warmup: 0.4 },
  absent: {},
  cases,
  stress: [
    { name: 'RSS with one connection', value: 84.2, unit: 'MB', target: 90 },
    { name: 'RSS with many', value: 401, unit: 'MB', target: 400 },
    { name: 'by themselves', value: 1.5, unit: 'ms' },
  ],
  charts: [chart],
};

test('a table is aligned, and its pipes are escaped', () => {
  expect(
    table(
      ['name', 'value:'],
      [
        ['a|b', '1'],
        ['longer name', '1,000'],
      ],
    ),
  ).toBe(
    [
      '| name        | value |',
      '| ----------- | ----: |',
      '| a\\|b        |     1 |',
      '| longer name | 1,000 |',
    ].join('\n'),
  );
});

test('figures have about three digits that count', () => {
  expect([1.234, 12.34, 123.4, 1234.5, 0].map(figure)).toEqual(['1.23', '12.3', '123', '1,235', '0.00']);
  expect(figure(undefined)).toBe('');
});

test('the table of costs has the ratio beside its target, and says whether that was met', () => {
  const [, , first, second] = costTable(cases)
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()));
  expect(first).toEqual([
    '',
    'getattr, depth 1',
    '8.50',
    '8.00',
    '16.0',
    '1.06',
    '1.00-1.13',
    '1.15',
    'yes',
    '2.00',
    '',
  ]);
  expect(second).toEqual([
    '',
    'readseq 1 MiB, depth 1',
    '90.0',
    '60.0',
    '',
    '1.50',
    '1.50-1.50',
    '1.15',
    'no',
    '',
    '',
  ]);
});

test('a server that was not measured has no column', () => {
  const ours = summarize(measuredCase(getattr, { '9s': [sample(8)], limit9p: [sample(8)] }));
  expect(costTable([ours])).not.toContain('diod');
});

test('the table of speeds has a row for each server that answered', () => {
  const text = speedTable(cases);
  expect(text.split('\n')).toHaveLength(2 + 3 + 2);
  expect(text).toMatch(/readseq 1 MiB, depth 1 +\| 9s +\| +[\d,.]+ \| +4,322 \|/);
});

test('the report names machine and versions, and shows each chart with its numbers', () => {
  const text = report(results);
  expect(text).toContain('2030-01-02');
  expect(text).toContain('A processor, 2 CPUs, 8.00 GiB');
  expect(text).toContain('node v24.0.0, 9s 0.1.0');
  expect(text).toContain('![getattr against requests in flight](9p-depth.svg)');
  expect(text).toContain(chartTable(chart));
  expect(text).toContain('- diod failed in readseq 1 MiB, depth 1: server closed the connection\n');
});

test('the report says which servers are missing, and why', () => {
  expect(report({ ...results, absent: { diod: 'diod is not installed: apt-get install diod' } })).toContain(
    '- Without diod: diod is not installed: apt-get install diod.',
  );
});

test('the table of a chart has a row for each position and leaves out what was not measured', () => {
  expect(chartTable(chart).split('\n').slice(2)).toEqual([
    '|                  1 |  20,000 |         |',
    '|                 16 | 300,000 | 400,000 |',
  ]);
});

test('the table of a distribution is read by quantile', () => {
  const text = chartTable({
    ...chart,
    x: { title: 'latency', unit: 'µs', isLogarithmic: true },
    y: { title: 'operations', isQuantile: true },
    points: [
      { series: '9s', x: 20, y: 0.99 },
      { series: '9s', x: 8.25, y: 0.5 },
    ],
  });
  expect(text.split('\n')).toEqual([
    '| quantile | 9s µs |',
    '| -------- | ----: |',
    '| 0.5      |  8.25 |',
    '| 0.99     |  20.0 |',
  ]);
});

test('a figure that stands alone is held against its target, if it has one', () => {
  const text = report(results);
  expect(text).toContain('## Memory, waiting and hostile clients');
  expect(text).toMatch(/\| RSS with one connection \| +84\.2 MB \| +90 MB \| yes \|/);
  expect(text).toMatch(/\| RSS with many +\| +401 MB \| +400 MB \| no +\|/);
  expect(text).toMatch(/\| by themselves +\| +1\.50 ms \| +\| +\|/);
  expect(report({ ...results, stress: [] })).not.toContain('hostile');
});
