import { parseValues, UsageError } from './command-line.ts';
import { table } from './table.ts';

/** What a program of ours cost, beside what it may. */
export interface Cost {
  readonly name: string;
  readonly measured: number;
  readonly target: number;
  readonly unit: 'ms' | 'MB';
  /** What the target is made of. */
  readonly note?: string;
}

/** For `node --import`: tells the most memory that the process had, in KiB, on its standard error. */
export const tellMemory =
  'data:text/javascript,process.on("exit",()=>console.error(process.resourceUsage().maxRSS))';

/** @throws {UsageError} for what is not `--rounds N`, `--json` or `--help` */
export function parseCostOptions(args: string[]): { help: boolean; json: boolean; rounds: number } {
  const values = parseValues(args, {
    rounds: { type: 'string', default: '9' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new UsageError(`--rounds: ${values.rounds} is no number`);
  return { ...values, rounds };
}

/** Milliseconds that it takes. */
export function timeOf(run: () => unknown): number {
  const start = performance.now();
  run();
  return performance.now() - start;
}

/** A table in Markdown. */
export function costTable(costs: readonly Cost[]): string {
  const text = (value: number, unit: string) => `${value.toFixed(value < 20 ? 1 : 0)} ${unit}`;
  return table(
    ['what', 'measured:', 'target:', 'reached', 'the target is'],
    costs.map(({ name, measured, target, unit, note = '' }) => [
      name,
      text(measured, unit),
      text(target, unit),
      measured <= target ? 'yes' : 'no',
      note,
    ]),
  );
}
