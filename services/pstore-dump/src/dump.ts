import { readFileSync } from 'node:fs';
import { type Context, ExitCode, type Log, UsageError } from '@vm-tools/daemon';
import {
  kernelOffset,
  parseCommandLine,
  parseLayout,
  type Ramoops,
  readRamoops,
  SymbolTable,
} from '@vm-tools/pstore';
import type { RegionFile } from '@vm-tools/pstore/host';
import { extract } from './extract.ts';
import { follow } from './follow.ts';
import { toJson } from './json.ts';
import { KINDS, kindsAsked } from './kinds.ts';
import { standardOutput } from './output.ts';
import { print } from './print.ts';
import type { program } from './program.ts';
import { orGiveUp, readRegion, regionPath } from './source.ts';
import { dumpSystem } from './system.ts';

type Options = Context<typeof program.options, typeof program.operands>['options'];

/** Reads, and prints what was asked for. */
export async function dump({
  options,
  log,
  shutdown,
}: Context<typeof program.options, typeof program.operands>): Promise<ExitCode> {
  refuseConflicts(options);
  const output = standardOutput(options);
  if (options.system) return dumpSystem(options, { output, log });
  const path = regionPath(options.file);
  const layout = layoutAsked(options);
  if (options.follow) {
    await follow(path, { layout, output, log, signal: shutdown.signal });
    return ExitCode.ok;
  }
  const region = readRegion(path, layout);
  // Symbols are moved by what the logs say.
  const kinds =
    options.json || options.extract !== undefined || options.symbols !== undefined
      ? KINDS
      : kindsAsked(options);
  const ramoops = orGiveUp(() => readRamoops(region.bytes, region.layout, { kinds }));
  const symbols = options.symbols === undefined ? undefined : readSymbols(options.symbols, ramoops);
  tellDoubts(region, log);
  tellProblems(ramoops, log);
  if (options.extract !== undefined) extract(ramoops, { folder: options.extract, symbols, log });
  else if (options.json) output.text(toJson(ramoops, { region, path, kinds: kindsAsked(options), symbols }));
  else print(ramoops, { path, kinds: kindsAsked(options), output, symbols });
  return ExitCode.ok;
}

function layoutAsked({ layout, cmdline }: Options): ReturnType<typeof parseLayout> | string {
  if (cmdline !== undefined) return orUsageError('cmdline', () => parseCommandLine(cmdline));
  if (layout !== undefined && layout !== 'auto') return orUsageError('layout', () => parseLayout(layout));
  return 'auto';
}

function orUsageError<Value>(option: 'layout' | 'cmdline', parse: () => Value): Value {
  try {
    return parse();
  } catch (error) {
    throw invalid(option, error as Error);
  }
}

function invalid(option: 'layout' | 'cmdline', cause: Error): UsageError {
  return new UsageError({
    code: 'ERR_INVALID_VALUE',
    subject: `--${option}`,
    problem: cause.message,
    remedy: `write ${option === 'layout' ? 'sizes, as record=128K,console=64K' : 'words such as ramoops.mem_size=0x100000'}`,
    cause,
  });
}

function refuseConflicts(options: Options): void {
  const conflicts: readonly (readonly [keyof Options, readonly (keyof Options)[]])[] = [
    ['system', ['file', 'layout', 'cmdline', 'follow', 'extract', 'symbols']],
    ['follow', ['dmesg', 'pmsg', 'ftrace', 'all', 'json', 'extract', 'symbols']],
    ['extract', ['dmesg', 'pmsg', 'ftrace', 'all', 'json', 'raw']],
    ['cmdline', ['layout']],
  ];
  for (const [option, others] of conflicts) {
    const other = others.find((each) => options[each] !== undefined && options[each] !== false);
    if (options[option] === undefined || options[option] === false || other === undefined) continue;
    throw new UsageError({
      code: 'ERR_CONFLICTING_OPTIONS',
      subject: `--${option}`,
      problem: `does not go with --${other}`,
      remedy: 'give one of them',
    });
  }
}

/** A System.map is moved by as much as the panic says that KASLR moved the kernel. */
function readSymbols(path: string, { dmesg, console }: Ramoops): SymbolTable {
  const text = orGiveUp(() => readFileSync(path, 'utf8'));
  const logs = [...dmesg.map(({ log }) => log), ...(console ? [console.data] : [])];
  const offset = logs.map(kernelOffset).findLast((each) => each !== undefined) ?? 0n;
  const isMoved = path.endsWith('kallsyms');
  return orGiveUp(() => SymbolTable.parse(text, { offset: isMoved ? 0n : offset }));
}

function tellDoubts({ detected }: RegionFile, log: Log): void {
  if (detected?.confidence !== 'guess') return;
  log.warn('the layout is a guess; give it with --layout or --cmdline', { why: detected.reasons.join('; ') });
}

function tellProblems({ problems, zones }: Ramoops, log: Log): void {
  for (const { code, offset, message } of problems) log.warn(message, { code, offset });
  for (const { kind, index, correction } of zones) {
    if (!correction || correction.correctedBytes === 0) continue;
    log.info(`${kind} zone ${index}: wrong bytes were put right`, { bytes: correction.correctedBytes });
  }
}
