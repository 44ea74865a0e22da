import { parseValues, UsageError } from '../command-line.ts';
import { type Case, cases, fullPlan, shortPlan, type Workload, workloads } from './case.ts';
import { type PeerName, peerNames } from './peer.ts';

export interface Options {
  readonly help: boolean;
  readonly plan: readonly Case[];
  readonly peers: readonly PeerName[];
  readonly rounds: number;
  /** Of the timed window. */
  readonly seconds: number;
  /** Before it, untimed. */
  readonly warmup: number;
  /** The one that servers and load generator share; default: the last that we may use. */
  readonly cpu: number | undefined;
  /** Fails on a regression; the file holds what is normal. */
  readonly guard: boolean;
  readonly updateBaseline: boolean;
  readonly baseline: string | undefined;
  readonly margin: number | undefined;
  /** Serve from the sources with a thread of `serveThreaded`, not with the built 9s. */
  readonly source: boolean;
  /** Burned in each call of the filesystem; implies `source`. */
  readonly slowDown: number | undefined;
  /** Nothing is left out: these are the results that are committed. */
  readonly isComplete: boolean;
  /** Where results are written; otherwise complete ones are, to where they are committed. */
  readonly out: string | undefined;
  readonly charts: boolean;
  /** Memory, waiting requests and hostile clients. */
  readonly stress: boolean;
  /** Write down anew what was measured before. */
  readonly render: boolean;
  readonly json: boolean;
}

export const help = `Usage: npm run bench -- 9p [OPTION]...

Measures what an operation costs our 9P server, a C server that does the least possible, and diod.

What is measured:
  (no option)            everything, about 25 minutes; writes benchmarks/results/9p.{json,md,*.svg}
  --short                a case for each kind of work, about 2 minutes; writes nothing
  --workload NAME,...    these alone: ${workloads.join(' ')}
  --depth N,...          requests in flight (default: 1,16)
  --stress               memory, requests that wait and hostile clients alone, about 2 minutes
  --msize BYTES,...      message size asked for; further ones are for readseq and writeseq (default: 65560)
  --peers NAME,...       servers: ${peerNames.join(' ')} (default: all)

How:
  --rounds N             rounds, in which all servers take turns (default: 5; --short 3)
  --seconds S            timed window of one measurement (default: 1; --short 0.6)
  --warmup S             before it (default: 0.5)
  --cpu N                the CPU that servers and load generator share (default: the last)
  --source               serve from the sources, not with the built 9s
  --slow-down-us N       burn N microseconds of CPU in each call of our filesystem; implies --source

Output:
  --out DIR              write results there (relative to the root of the repository)
  --no-charts            leave out what only charts show
  --render               measure nothing: write tables, charts and the README anew from results/9p.json
  --json                 print results as JSON

Regressions:
  --guard                measure the short form and exit with 1 if a ratio to the floor is worse than the baseline's
  --margin FRACTION      by more than this (default: what the baseline says)
  --update-baseline      measure the short form and write it down as normal
  --baseline FILE        the baseline (default: benchmarks/baseline.json)
`;

export function parseOptions(args: string[]): Options {
  const values = parse(args);
  const slowDown = number(values['slow-down-us'], '--slow-down-us', 0);
  const updateBaseline = values['update-baseline'] ?? false;
  const guard = values.guard ?? false;
  const forGuard = guard || updateBaseline;
  const short = (values.short ?? false) || forGuard;
  const chosen = values.workload ?? values.depth ?? values.msize;
  const stress = values.stress ?? false;
  const isComplete = !short && !stress && chosen === undefined && values.peers === undefined;
  if (guard && updateBaseline) throw new UsageError('--guard and --update-baseline exclude each other');
  if (stress && (short || chosen !== undefined || (values.source ?? false) || slowDown !== undefined)) {
    throw new UsageError('--stress measures the built 9s as it is: leave the other options out');
  }
  if (updateBaseline && (chosen !== undefined || slowDown !== undefined)) {
    throw new UsageError('--update-baseline measures the short form as it is: leave the other options out');
  }
  return {
    help: values.help ?? false,
    plan: stress ? [] : chosen === undefined ? (short ? shortPlan : fullPlan) : chosenPlan(values),
    peers:
      list(values.peers, '--peers', peerNames) ??
      (stress ? ['9s'] : forGuard ? ['9s', 'limit9p'] : peerNames),
    rounds: number(values.rounds, '--rounds', 1) ?? (short && !updateBaseline ? 3 : 5),
    seconds: number(values.seconds, '--seconds', 0.05) ?? (short ? 0.6 : 1),
    warmup: number(values.warmup, '--warmup', 0) ?? 0.5,
    cpu: number(values.cpu, '--cpu', 0),
    guard,
    updateBaseline,
    baseline: values.baseline,
    margin: number(values.margin, '--margin', 0),
    source: (values.source ?? false) || slowDown !== undefined,
    slowDown,
    isComplete: isComplete && slowDown === undefined,
    out: values.out,
    charts: isComplete && !values['no-charts'],
    stress: stress || (isComplete && !(values.source ?? false) && slowDown === undefined),
    render: values.render ?? false,
    json: values.json ?? false,
  };
}

function parse(args: string[]) {
  return parseValues(args, {
    help: { type: 'boolean', short: 'h' },
    short: { type: 'boolean' },
    workload: { type: 'string' },
    depth: { type: 'string' },
    msize: { type: 'string' },
    peers: { type: 'string' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    warmup: { type: 'string' },
    cpu: { type: 'string' },
    guard: { type: 'boolean' },
    'update-baseline': { type: 'boolean' },
    baseline: { type: 'string' },
    margin: { type: 'string' },
    source: { type: 'boolean' },
    'slow-down-us': { type: 'string' },
    out: { type: 'string' },
    'no-charts': { type: 'boolean' },
    stress: { type: 'boolean' },
    render: { type: 'boolean' },
    json: { type: 'boolean' },
  });
}

function chosenPlan(values: { workload?: string; depth?: string; msize?: string }): Case[] {
  return cases(
    list<Workload>(values.workload, '--workload', workloads) ?? workloads,
    numbers(values.depth, '--depth') ?? [1, 16],
    numbers(values.msize, '--msize') ?? undefined,
  );
}

function list<T extends string>(
  text: string | undefined,
  option: string,
  known: readonly T[],
): T[] | undefined {
  return text?.split(',').map((word) => {
    const name = known.find((each) => each === word);
    if (name === undefined)
      throw new UsageError(`${option} knows no "${word}": it is one of ${known.join(', ')}`);
    return name;
  });
}

function numbers(text: string | undefined, option: string): number[] | undefined {
  return text?.split(',').map((word) => {
    const value = number(word, option, 1) as number;
    if (!Number.isInteger(value)) throw new UsageError(`${option} takes whole numbers, not "${word}"`);
    return value;
  });
}

function number(text: string | undefined, option: string, min: number): number | undefined {
  if (text === undefined) return undefined;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(Number.isFinite(value) && value >= min)) {
    throw new UsageError(`${option} takes a number of at least ${min}, not "${text}"`);
  }
  return value;
}
