import { readFileSync } from 'node:fs';
import { type Case, caseName } from './case.ts';
import { OURS } from './peer.ts';
import type { CaseResult } from './summary.ts';

/** How much worse than normal is a regression, unless the baseline says otherwise. */
export const DEFAULT_MARGIN = 0.25;

/** What is normal: the ratio of our CPU for an operation to the floor's, by the name of the case. */
export interface Baseline {
  /** A ratio may be worse than normal by this fraction. */
  readonly margin: number;
  readonly measured: string;
  readonly ratios: Readonly<Record<string, number>>;
}

export interface Verdict {
  readonly one: Case;
  readonly ratio: number;
  /** The baseline's; undefined when it does not know the case. */
  readonly normal: number | undefined;
  /** The worst that is allowed. */
  readonly limit: number | undefined;
  readonly outcome: 'passed' | 'regressed' | 'unknown';
}

export function judge(results: readonly CaseResult[], baseline: Baseline): Verdict[] {
  return results.map(({ figures: _, ratios, failures: __, ...one }): Verdict => {
    const ratio = ratios[OURS]?.median;
    if (ratio === undefined) {
      throw new Error(`${caseName(one)} has no ratio to judge: both 9s and limit9p must be measured`);
    }
    const normal = baseline.ratios[caseName(one)];
    if (normal === undefined) return { one, ratio, normal, limit: undefined, outcome: 'unknown' };
    const limit = normal * (1 + baseline.margin);
    return { one, ratio, normal, limit, outcome: ratio > limit ? 'regressed' : 'passed' };
  });
}

/** Of two measurements of a case the one with the smaller ratio. */
export function better(one: CaseResult, other: CaseResult): CaseResult {
  const ratio = (result: CaseResult) => result.ratios[OURS]?.median ?? Number.POSITIVE_INFINITY;
  return ratio(other) < ratio(one) ? other : one;
}

/** A baseline that calls what was measured normal. */
export function baselineOf(results: readonly CaseResult[], margin: number, measured: string): Baseline {
  const ratios = results.map((result): [string, number] => {
    const ratio = result.ratios[OURS]?.median;
    if (ratio === undefined) throw new Error(`${caseName(result)} has no ratio to write down`);
    return [caseName(result), Number(ratio.toFixed(3))];
  });
  return { margin, measured, ratios: Object.fromEntries(ratios) };
}

export function readBaseline(path: string): Baseline {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`no baseline can be read: ${(error as Error).message}; --update-baseline makes one`, {
      cause: error,
    });
  }
  const { margin, measured, ratios } = JSON.parse(text) as Partial<Baseline>;
  if (typeof margin !== 'number' || typeof ratios !== 'object' || ratios === null) {
    throw new Error(
      `${path} is no baseline: it needs "margin" and "ratios"; --update-baseline makes a new one`,
    );
  }
  return { margin, measured: String(measured), ratios };
}
