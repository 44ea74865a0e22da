import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { measuredCase, sample } from '../../test/sample.ts';
import { type Case, caseName, shortPlan } from './case.ts';
import { type Baseline, baselineOf, better, judge, readBaseline } from './guard.ts';
import { guardTable } from './report.ts';
import { summarize } from './summary.ts';

const getattr: Case = { workload: 'getattr', depth: 1, msize: 65_560 };
const walk: Case = { workload: 'walk', depth: 16, msize: 65_560 };
const baseline: Baseline = {
  margin: 0.25,
  measured: 'once',
  ratios: { 'getattr, depth 1': 1, 'walk, depth 16': 2 },
};

const costing = (one: Case, cpu: number) =>
  summarize(measuredCase(one, { '9s': [sample(cpu)], limit9p: [sample(8)] }));

describe('judge', () => {
  test('passes what is as good as normal, better, or worse by no more than the margin', () => {
    for (const cpu of [4, 8, 10]) {
      expect(judge([costing(getattr, cpu)], baseline)[0]).toMatchObject({ outcome: 'passed', limit: 1.25 });
    }
  });

  test('calls what is worse by more than the margin a regression', () => {
    expect(judge([costing(getattr, 10.1)], baseline)[0]).toMatchObject({ outcome: 'regressed', normal: 1 });
  });

  test('judges each case by its own normal ratio', () => {
    const verdicts = judge([costing(getattr, 18), costing(walk, 18)], baseline);
    expect(verdicts.map(({ outcome }) => outcome)).toEqual(['regressed', 'passed']);
  });

  test('does not pass a case that the baseline does not know', () => {
    expect(judge([costing({ ...getattr, depth: 2 }, 8)], baseline)[0]).toMatchObject({
      outcome: 'unknown',
      limit: undefined,
    });
  });

  test('a slower machine regresses nothing: the floor is slower too', () => {
    const slow = summarize(measuredCase(getattr, { '9s': [sample(80)], limit9p: [sample(80)] }));
    expect(judge([slow], baseline)[0]?.outcome).toBe('passed');
  });

  test('refuses results without a ratio', () => {
    const alone = summarize(measuredCase(getattr, { '9s': [sample(8)] }));
    expect(() => judge([alone], baseline)).toThrow(/both 9s and limit9p/);
  });
});

test('of two measurements the better one counts, whichever came first', () => {
  const [good, bad] = [costing(getattr, 8), costing(getattr, 12)];
  expect(better(good, bad)).toBe(good);
  expect(better(bad, good)).toBe(good);
  const unmeasured = summarize(measuredCase(getattr, { limit9p: [sample(8)] }));
  expect(better(unmeasured, bad)).toBe(bad);
});

test('what was just measured passes its own baseline, and fails it when it costs more', () => {
  const own = baselineOf([costing(getattr, 9), costing(walk, 20)], 0.25, 'now');
  expect(own.ratios).toEqual({ 'getattr, depth 1': 1.125, 'walk, depth 16': 2.5 });
  expect(judge([costing(getattr, 9), costing(walk, 20)], own).map(({ outcome }) => outcome)).toEqual([
    'passed',
    'passed',
  ]);
  expect(judge([costing(getattr, 12)], own)[0]?.outcome).toBe('regressed');
});

test('the table of the guard names what regressed and by how much', () => {
  const lines = guardTable(judge([costing(getattr, 12), costing(walk, 12)], baseline)).split('\n');
  expect(lines[2]).toMatch(
    /^\| getattr, depth 1 +\| +1\.50 \| +1\.00 \| +1\.25 \| +\+50 % \| REGRESSED +\|$/,
  );
  expect(lines[3]).toMatch(/^\| walk, depth 16 +\| +1\.50 \| +2\.00 \| +2\.50 \| +-25 % \| passed +\|$/);
});

describe('the baseline', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vm-tools-baseline-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('that is committed knows every case of the short form', () => {
    const { margin, ratios } = readBaseline(join(import.meta.dirname, '../../baseline.json'));
    expect(margin).toBeGreaterThan(0);
    expect(Object.keys(ratios).sort()).toEqual(shortPlan.map(caseName).sort());
    for (const ratio of Object.values(ratios)) expect(ratio).toBeGreaterThan(0);
  });

  test('that is not there is an error that says how to make one', () => {
    expect(() => readBaseline(join(folder, 'absent.json'))).toThrow(/absent\.json.*--update-baseline/);
  });

  test('that is something else is an error', () => {
    const path = join(folder, 'other.json');
    writeFileSync(path, '{"margin": "much"}');
    expect(() => readBaseline(path)).toThrow(/other\.json is no baseline/);
  });
});
