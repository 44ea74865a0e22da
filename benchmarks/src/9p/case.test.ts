import { expect, test } from 'vitest';
import { caseName, cases, fullPlan, MSIZE_1M, MSIZE_64K, shortPlan, targetOf, workloads } from './case.ts';

test('the full plan has every workload at both depths, and sequential ones at both sizes', () => {
  const names = fullPlan.map(caseName);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toHaveLength((workloads.length + 2) * 2);
  expect(names).toContain('writeseq 1 MiB, depth 16');
  expect(names).toContain('getattr, depth 1');
});

test('every case of the full plan has a target', () => {
  expect(fullPlan.filter((one) => targetOf(one) === undefined).map(caseName)).toEqual([]);
});

test('targets are those of the workload, depth and size', () => {
  expect(targetOf({ workload: 'getattr', depth: 16, msize: MSIZE_64K })).toBe(1.6);
  expect(targetOf({ workload: 'readseq', depth: 16, msize: MSIZE_64K })).toBe(1.3);
  expect(targetOf({ workload: 'readseq', depth: 16, msize: MSIZE_1M })).toBe(1.15);
});

test('what differs from a targeted case has another name and no target', () => {
  expect(targetOf({ workload: 'getattr', depth: 4, msize: MSIZE_64K })).toBeUndefined();
  expect(targetOf({ workload: 'getattr', depth: 1, msize: 8192 })).toBeUndefined();
  expect(caseName({ workload: 'getattr', depth: 1, msize: 8192 })).toBe('getattr (msize 8192), depth 1');
});

test('the short plan is part of the full one', () => {
  const names = fullPlan.map(caseName);
  for (const name of shortPlan.map(caseName)) expect(names).toContain(name);
});

test('further message sizes are for sequential workloads alone', () => {
  expect(cases(['walk', 'readseq'], [1], [8192, 16_384]).map(caseName)).toEqual([
    'walk (msize 8192), depth 1',
    'readseq (msize 8192), depth 1',
    'readseq (msize 16384), depth 1',
  ]);
});
