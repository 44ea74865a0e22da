import { expect, test } from 'vitest';
import { UsageError } from '../command-line.ts';
import { caseName, fullPlan, shortPlan } from './case.ts';
import { parseOptions } from './options.ts';

test('without options everything is measured, with charts, and written to the committed results', () => {
  expect(parseOptions([])).toMatchObject({
    plan: fullPlan,
    peers: ['9s', 'limit9p', 'diod'],
    rounds: 5,
    charts: true,
    isComplete: true,
    source: false,
  });
});

test.each([['--short'], ['--workload', 'walk'], ['--peers', '9s,limit9p'], ['--slow-down-us', '10']])(
  '%s leaves the committed results alone',
  (...args) => {
    expect(parseOptions(args.filter((arg) => arg !== undefined)).isComplete).toBe(false);
  },
);

test('chosen workloads are measured at the chosen depths', () => {
  const { plan, rounds, seconds, charts } = parseOptions(
    '--workload walk,readseq --depth 16 --seconds 0.5 --rounds 3'.split(' '),
  );
  expect(plan.map(caseName)).toEqual(['walk, depth 16', 'readseq 64 KiB, depth 16']);
  expect({ rounds, seconds, charts }).toEqual({ rounds: 3, seconds: 0.5, charts: false });
});

test('the guard measures the short plan of ours and the floor', () => {
  expect(parseOptions(['--guard'])).toMatchObject({ plan: shortPlan, peers: ['9s', 'limit9p'], rounds: 3 });
  expect(parseOptions(['--update-baseline'])).toMatchObject({ plan: shortPlan, rounds: 5 });
});

test('memory, waiting and hostile clients belong to everything, or are measured alone', () => {
  expect(parseOptions([]).stress).toBe(true);
  expect(parseOptions(['--source']).stress).toBe(false);
  expect(parseOptions(['--short']).stress).toBe(false);
  expect(parseOptions(['--stress'])).toMatchObject({
    stress: true,
    plan: [],
    peers: ['9s'],
    isComplete: false,
  });
});

test('a slow-down needs the sources', () => {
  expect(parseOptions(['--slow-down-us', '50'])).toMatchObject({ slowDown: 50, source: true });
});

test.each([
  [['--workload', 'fly'], /--workload knows no "fly": it is one of getattr, walk/],
  [['--depth', '1,x'], /--depth takes a number of at least 1, not "x"/],
  [['--depth', '1.5'], /--depth takes whole numbers, not "1.5"/],
  [['--rounds', '0'], /--rounds takes a number of at least 1, not "0"/],
  [['--seconds', ''], /--seconds takes a number/],
  [['--peers', 'nfs'], /--peers knows no "nfs"/],
  [['--frobnicate'], /frobnicate/],
  [['stray'], /stray/],
  [['--guard', '--update-baseline'], /exclude each other/],
  [['--stress', '--short'], /leave the other options out/],
  [['--stress', '--workload', 'walk'], /leave the other options out/],
  [['--update-baseline', '--slow-down-us', '9'], /leave the other options out/],
])('%j is refused', (args, message) => {
  expect(() => parseOptions(args)).toThrow(message);
  expect(() => parseOptions(args)).toThrow(UsageError);
});
