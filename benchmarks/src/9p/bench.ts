import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { benchmarks } from './cache.ts';
import type { Case } from './case.ts';
import { type Chart, svg } from './chart.ts';
import { type ChartOptions, measureCharts } from './figures.ts';
import { fixture } from './fixture.ts';
import { type Baseline, baselineOf, DEFAULT_MARGIN, judge, readBaseline, type Verdict } from './guard.ts';
import { Installed9s } from './installed.ts';
import { environment, lastCpu } from './machine.ts';
import { type MeasureOptions, measure, merged } from './measure.ts';
import { help, parseOptions } from './options.ts';
import { chartFile, costTable, guardTable, type Results, remarks, report, speedTable } from './report.ts';
import { type Measured, summarize } from './summary.ts';
import { Team, type TeamOptions } from './team.ts';

/** Chart points are many: fewer and shorter measurements each. */
const CHART_ROUNDS = 3;
const CHART_SECONDS = 0.6;

/** `npm run bench -- 9p`. Resolves to an exit status. */
export async function bench9p(args: string[], signal: AbortSignal): Promise<number> {
  const options = parseOptions(args);
  if (options.help) {
    console.log(help);
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
  const results: Results = {
    benchmark: '9p',
    environment: facts,
    settings: { rounds: options.rounds, seconds: options.seconds, warmup: options.warmup },
    absent: team.absent,
    cases: measured.map(summarize),
    charts,
  };
  if (options.updateBaseline) {
    const margin = options.margin ?? DEFAULT_MARGIN;
    const where = `${facts.date}, ${facts.processor}, node ${facts.versions['node']}, commit ${facts.versions['commit']}`;
    writeJson(baselinePath, baselineOf(results.cases, margin, where));
    console.error(`wrote ${baselinePath}`);
  }
  const folder = fromCaller(options.out) ?? (options.isComplete ? join(benchmarks, 'results') : undefined);
  if (folder !== undefined) {
    writeResults(folder, results);
    console.error(`wrote ${folder}/9p.{json,md}`);
  }
  console.log(
    options.json
      ? JSON.stringify(results, null, 2)
      : [costTable(results.cases), speedTable(results.cases), ...remarks(results)].join('\n\n'),
  );
  return 0;
}

/** Compares with the baseline; what seems to have regressed is measured again, and all samples count. */
async function guard(
  team: Team,
  plan: readonly Case[],
  settings: MeasureOptions,
  limits: Baseline,
): Promise<number> {
  let measured = await measure(team.peers, plan, settings);
  const again = suspects(judge(measured.map(summarize), limits), measured);
  if (again.length > 0) {
    // A busy machine can spoil a round or two; what is really slower is so again.
    console.error(
      `measuring again what seems to have regressed: ${again.length} of ${measured.length} cases`,
    );
    const second = await measure(
      team.peers,
      again.map(({ one }) => one),
      settings,
    );
    measured = measured.map((one) => {
      const index = again.indexOf(one);
      return index === -1 ? one : merged(one, second[index] as Measured);
    });
  }
  const cases = measured.map(summarize);
  const verdicts = judge(cases, limits);
  console.log(`${costTable(cases)}\n\n${guardTable(verdicts)}\n`);
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

function suspects(verdicts: readonly Verdict[], measured: readonly Measured[]): Measured[] {
  return measured.filter((_, index) => verdicts[index]?.outcome === 'regressed');
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

function writeResults(folder: string, results: Results): void {
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(folder)) {
    if (/^9p-.*\.svg$/.test(file)) rmSync(join(folder, file));
  }
  writeJson(join(folder, '9p.json'), results);
  writeFileSync(join(folder, '9p.md'), report(results));
  for (const chart of results.charts as Chart[]) writeFileSync(join(folder, chartFile(chart)), svg(chart));
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, roundNumbers, 2)}\n`);
}

/** No figure is known better than this. */
function roundNumbers(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
  else if (text.includes('(1/')) console.error(text);
}
