import { expect, test } from 'vitest';
import { measuredCase, sample } from '../../test/sample.ts';
import type { Case } from './case.ts';
import { summarize } from './summary.ts';

const getattr: Case = { workload: 'getattr', depth: 1, msize: 65_560 };
const readseq: Case = { workload: 'readseq', depth: 1, msize: 1_048_600 };

test('each figure is the median over the rounds', () => {
  const { figures } = summarize(
    measuredCase(getattr, {
      '9s': [sample(8), sample(30, { rss: 90_000 }), sample(9)],
      limit9p: [sample(7)],
    }),
  );
  expect(figures['9s']).toMatchObject({ rounds: 3, cpu: 9, p99: 36, rss: 20_480 });
  expect(figures.limit9p?.rounds).toBe(1);
});

test('a ratio is one of medians, and its noise is that of the single rounds', () => {
  const { ratios } = summarize(
    measuredCase(getattr, {
      '9s': [sample(10), sample(12), sample(40)],
      limit9p: [sample(8), sample(8), sample(10)],
      diod: [sample(16), sample(16), sample(16)],
    }),
  );
  expect(ratios['9s']).toEqual({ median: 1.5, least: 1.25, greatest: 4 });
  expect(ratios.diod?.median).toBe(2);
  expect(ratios).not.toHaveProperty('limit9p');
});

test('sequential cases are compared by CPU for a byte, as servers grant different sizes', () => {
  const { ratios } = summarize(
    measuredCase(readseq, {
      diod: [sample(20, { size: 65_512 })],
      limit9p: [sample(160, { size: 16 * 65_512 })],
    }),
  );
  expect(ratios.diod?.median).toBe(2);
});

test('without the floor there are figures, but no ratios', () => {
  const result = summarize(measuredCase(getattr, { '9s': [sample(8)] }));
  expect(result.figures['9s']?.cpu).toBe(8);
  expect(result.ratios).toEqual({});
});

test('a server that failed has neither figures nor a ratio, but a reason', () => {
  const result = summarize(measuredCase(getattr, { limit9p: [sample(8)], diod: [] }, { diod: 'Rlerror 95' }));
  expect(result.figures).not.toHaveProperty('diod');
  expect(result.ratios).not.toHaveProperty('diod');
  expect(result.failures).toEqual({ diod: 'Rlerror 95' });
});

test('a floor without CPU time gives an error that says what to do, not an infinite ratio', () => {
  expect(() => summarize(measuredCase(getattr, { '9s': [sample(8)], limit9p: [sample(0)] }))).toThrow(
    /getattr, depth 1.*--seconds/,
  );
});
