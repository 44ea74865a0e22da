import { join, resolve } from 'node:path';
import { benchmarks } from '../folders.ts';
import { type Case, caseName } from './case.ts';
import { type ChartOptions, measureCharts } from './figures.ts';
import { fixture } from './fixture.ts';
import {
  type Baseline,
  baselineOf,
  better,
  DEFAULT_MARGIN,
  judge,
  readBaseline,
  type Verdict,
} from './guard.ts';
import { Installed9s } from './installed.ts';
import { environment, lastCpu } from './machine.ts';
import { type MeasureOptions, measure } from './measure.ts';
import { help, parseOptions } from './options.ts';
import { costTable, guardTable, type Results, remarks, speedTable, stressTable } from './report.ts';
import { readResults, writeJson, writeReadme, writeResults } from './results.ts';
import { measureStress, type StressOptions } from './stress.ts';
import { type CaseResult, summarize } from './summary.ts';
import { Team, type TeamOptions } from './team.ts';

/** How often the guard looks again at what seems to have regressed. */
const SECOND_LOOKS = 2;
/** Chart points are many: fewer and shorter measurements each. */
const CHART_ROUNDS = 3;
const CHART_SECONDS = 0.6;

/** Where complete results are kept. */
const COMMITTED = join(benchmarks, 'results');

/** `npm run bench -- 9p`. Resolves to an exit status. */
export async function bench9p(args: string[], signal: AbortSignal): Promise<number> {
  const options = parseOptions(args);
  if (options.help) {
    console.log(help);
    return 0;
  }
  if (options.render) {
    writeResults(COMMITTED, readResults(COMMITTED));
    writeReadme(COMMITTED);
    return 0;
  }
  const baselinePath = fromCaller(options.baseline) ?? join(benchmarks, 'baseline.json');
  // Before the long part: what is wrong with it must not be found out at the end.
  const baseline = options.guard ? readBaseline(baselinePath) : undefined;
  using installed = options.peers.includes('9s') && !options.source ? new Installed9s() : undefined;

  const cpu = options.cpu ?? lastCpu();
  const root = fixture();
  const facts = environment(cpu, options.peers, options.source);
  const settings: MeasureOptions = {
    cpu,
    seconds: options.seconds,
    warmup: options.warmup,
    rounds: options.rounds,
    signal,
    onProgress: progress,
  };
  const teamOptions: TeamOptions = {
    peers: options.peers,
    cpu,
    installed: installed?.program,
    slowDown: options.slowDown,
  };
  await using team = await Team.start(root, teamOptions);
  for (const [name, why] of Object.entries(team.absent)) console.error(`without ${name}: ${why}`);

  if (baseline) {
    const limits = { ...baseline, margin: options.margin ?? baseline.margin };
    return await guard(team, options.plan, settings, limits);
  }

  const measured = await measure(team.peers, options.plan, settings);
  const charts = options.charts ? await measureCharts(chartOptions(team, teamOptions, settings)) : [];
  const stress = options.stress ? await measureStress(stressOptions(root, installed, settings)) : [];
  const results: Results = {
    benchmark: '9p',
    environment: facts,
    settings: { rounds: options.rounds, seconds: options.seconds, warmup: options.warmup },
    absent: team.absent,
    cases: measured.map(summarize),
    stress,
    charts,
  };
  if (options.updateBaseline) {
    const margin = options.margin ?? DEFAULT_MARGIN;
    const where = `${facts.date}, ${facts.processor}, node ${facts.versions['node']}, commit ${facts.versions['commit']}`;
    writeJson(baselinePath, baselineOf(results.cases, margin, where));
    console.error(`wrote ${baselinePath}`);
  }
  const folder = fromCaller(options.out) ?? (options.isComplete ? COMMITTED : undefined);
  if (folder !== undefined) {
    writeResults(folder, results);
    console.error(`wrote ${folder}/9p.{json,md}`);
    if (folder === COMMITTED) writeReadme(folder);
  }
  console.log(
    options.json
      ? JSON.stringify(results, null, 2)
      : [
          ...(measured.length > 0 ? [costTable(results.cases), speedTable(results.cases)] : []),
          ...(stress.length > 0 ? [stressTable(stress)] : []),
          ...remarks(results),
        ].join('\n\n'),
  );
  return 0;
}

/**
 * Compares with the baseline. What seems to have regressed is measured again, some times: a busy machine can spoil a measurement, and what
 * is really slower is so each time.
 */
async function guard(
  team: Team,
  plan: readonly Case[],
  settings: MeasureOptions,
  limits: Baseline,
): Promise<number> {
  const best = (await measure(team.peers, plan, settings)).map(summarize);
  for (let again = 1; again <= SECOND_LOOKS; again++) {
    const suspects = best.filter((_, index) => judge(best, limits)[index]?.outcome === 'regressed');
    if (suspects.length === 0) break;
    console.error(`measuring again what seems to have regressed: ${suspects.length} of ${best.length} cases`);
    for (const result of (await measure(team.peers, suspects, settings)).map(summarize)) {
      const index = best.findIndex((one) => caseName(one) === caseName(result));
      best[index] = better(best[index] as CaseResult, result);
    }
  }
  const verdicts = judge(best, limits);
  console.log(`${costTable(best)}\n\n${guardTable(verdicts)}\n`);
  return announce(verdicts, limits.margin);
}

function chartOptions(team: Team, teamOptions: TeamOptions, settings: MeasureOptions): ChartOptions {
  return {
    ...settings,
    peers: team.peers,
    rounds: Math.min(settings.rounds, CHART_ROUNDS),
    seconds: Math.min(settings.seconds, CHART_SECONDS),
    withPeers: async (root, use) => {
      await using other = await Team.start(root, teamOptions);
      return await use(other.peers);
    },
  };
}

/** 9s without the slow-down and the sources, as `parseOptions` sees to. */
function stressOptions(
  root: string,
  installed: Installed9s | undefined,
  settings: MeasureOptions,
): StressOptions {
  if (installed === undefined) throw new Error('the built 9s is not there to be measured');
  return { ...settings, root, installed: installed.program };
}

function announce(verdicts: readonly Verdict[], margin: number): number {
  const bad = verdicts.filter(({ outcome }) => outcome !== 'passed');
  const allowed = `${(margin * 100).toFixed(0)} %`;
  if (bad.length === 0) {
    console.log(`guard: passed; no ratio to the floor is worse than normal by more than ${allowed}`);
    return 0;
  }
  const regressed = bad.filter(({ outcome }) => outcome === 'regressed').length;
  if (regressed > 0) {
    console.log(
      `guard: FAILED: ${regressed} of ${verdicts.length} cases cost over ${allowed} more CPU than normal`,
    );
  }
  if (bad.length > regressed) {
    console.log(
      `guard: FAILED: the baseline does not know ${bad.length - regressed} cases; npm run bench -- 9p --update-baseline`,
    );
  }
  return 1;
}

/** npm runs us in the folder of our package, and says where it was itself: for `npm run bench` the root of the repository. */
function fromCaller(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(process.env['INIT_CWD'] ?? '.', path);
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
  else if (text.includes('(1/')) console.error(text);
}
