import { parseArgs } from 'node:util';
import {
  allOptions,
  type commonOptions,
  flagOf,
  type Operand,
  type OperandTable,
  type OperandValues,
  type OptionSpec,
  type OptionTable,
  type OptionValues,
  operandName,
  type Program,
  type ValueSpec,
} from './program.ts';
import { UsageError } from './usage-error.ts';
import { InvalidValue } from './value.ts';

/** What a command line asks for. */
export type CommandLine<Options extends OptionTable, Operands extends OperandTable> =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'completion'; readonly shell: 'bash' | 'zsh' }
  | ({ readonly kind: 'run' } & Invocation<Options, Operands>);

export interface Invocation<Options extends OptionTable, Operands extends OperandTable> {
  readonly options: OptionValues<Options> & OptionValues<typeof commonOptions>;
  readonly operands: OperandValues<Operands>;
}

/** One option with what the command line has of it. */
interface Given {
  readonly name: string;
  readonly flag: string;
  readonly spec: OptionSpec;
  readonly texts: string[];
  present: boolean;
}

/**
 * Reads the arguments after the program's name. `node:util` splits them (0.7 ms at start-up; commander 15:
 * 17.9 ms); what is wrong with them is said here, for its own errors do not tell which option it was and what to do.
 *
 * @throws {UsageError}
 */
export function parseCommandLine<Options extends OptionTable, Operands extends OperandTable>(
  program: Program<Options, Operands>,
  args: readonly string[],
): CommandLine<Options, Operands> {
  const given = new Map<string, Given>();
  for (const [name, spec] of allOptions(program)) {
    const flag = flagOf(name);
    given.set(flag.slice(2), { name, flag, spec, texts: [], present: false });
  }
  const texts = readTokens(given, args);
  // Who asks for help gets it, whatever is missing or has a wrong value.
  const present = (name: keyof typeof commonOptions) => given.get(name)?.present === true;
  if (present('help')) return { kind: 'help' };
  if (present('version')) return { kind: 'version' };
  const completion = given.get('completion');
  if (completion?.present) return { kind: 'completion', shell: valueGiven(completion) as 'bash' | 'zsh' };
  type Result = Invocation<Options, Operands>;
  const options = Object.fromEntries([...given.values()].map((option) => [option.name, valueGiven(option)]));
  const operands = operandValues(program.operands, texts);
  return { kind: 'run', options: options as Result['options'], operands: operands as Result['operands'] };
}

function readTokens(given: ReadonlyMap<string, Given>, args: readonly string[]): string[] {
  const { tokens } = parseArgs({
    args: withDashes(args),
    strict: false,
    tokens: true,
    options: Object.fromEntries(
      [...given].map(([long, { spec }]) => [
        long,
        {
          type: spec.value === undefined ? 'boolean' : 'string',
          ...(spec.short ? { short: spec.short } : {}),
        },
      ]),
    ),
  });
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const option = given.get(token.name);
    if (!option) throw unknownOption(token.rawName, given);
    take(option, token.value, token.inlineValue === true);
  }
  return operands;
}

/** The original programs wrote `--socket_gid`. */
function withDashes(args: readonly string[]): string[] {
  const end = args.indexOf('--');
  return args.map((arg, index) =>
    arg.startsWith('--') && (end < 0 || index < end)
      ? arg.replace(/^[^=]+/, (flag) => flag.replaceAll('_', '-'))
      : arg,
  );
}

function take(option: Given, text: string | undefined, inline: boolean): void {
  const { flag, spec } = option;
  if (spec.value === undefined) {
    if (text !== undefined) {
      throw new UsageError({
        code: 'ERR_UNEXPECTED_VALUE',
        subject: flag,
        problem: `takes no value, but was given ${JSON.stringify(text)}`,
        remedy: `write ${flag} alone`,
      });
    }
  } else if (text === undefined || (!inline && /^-./.test(text))) {
    throw new UsageError({
      code: 'ERR_MISSING_VALUE',
      subject: flag,
      problem:
        text === undefined
          ? 'has no value'
          : `is followed by ${JSON.stringify(text)}, which looks like an option`,
      remedy: `write ${flag}=${spec.value}`,
    });
  } else {
    if (option.present && spec.repeatable !== true) {
      throw new UsageError({
        code: 'ERR_REPEATED_OPTION',
        subject: flag,
        problem: 'was given more than once',
        remedy: 'write it once',
      });
    }
    option.texts.push(text);
  }
  option.present = true;
}

function unknownOption(rawName: string, given: ReadonlyMap<string, Given>): UsageError {
  const near = [...given.values()]
    .map(({ flag }) => ({ flag, distance: editDistance(rawName, flag) }))
    .sort((a, b) => a.distance - b.distance)[0];
  const remedy = near && near.distance <= 2 ? `did you mean ${near.flag}?` : '--help lists the options';
  return new UsageError({
    code: 'ERR_UNKNOWN_OPTION',
    subject: rawName,
    problem: 'there is no such option',
    remedy,
  });
}

/** How many letters must be put in, taken out or changed (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...from].entries()) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j++) {
      const change = (row[j] ?? 0) + (letter === to[j] ? 0 : 1);
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

function valueGiven({ flag, spec, texts, present }: Given): unknown {
  if (spec.value === undefined) return present;
  const form = `${flag} ${spec.value}`;
  if (spec.repeatable) return texts.map((text) => parseValue(flag, form, spec, text));
  const text = texts[0] ?? spec.default;
  if (text !== undefined) return parseValue(flag, form, spec, text);
  if (!spec.required) return undefined;
  throw new UsageError({
    code: 'ERR_MISSING_OPTION',
    subject: flag,
    problem: 'is missing',
    remedy: `write ${form}`,
  });
}

function parseValue(
  subject: string,
  form: string,
  spec: Pick<ValueSpec, 'parse' | 'choices'>,
  text: string,
): unknown {
  const invalid = (problem: string, remedy: string, cause?: unknown) =>
    new UsageError({ code: 'ERR_INVALID_VALUE', subject, problem, remedy, cause });
  if (spec.choices && !spec.choices.includes(text)) {
    throw invalid(`${JSON.stringify(text)} is none of its values`, `write ${spec.choices.join(' or ')}`);
  }
  try {
    return spec.parse ? spec.parse(text) : text;
  } catch (error) {
    if (error instanceof InvalidValue) throw invalid(error.message, `write ${error.remedy}`, error);
    throw invalid((error as Error).message, `write ${form}`, error);
  }
}

function operandValues(table: OperandTable, texts: readonly string[]): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  let taken = 0;
  for (const [name, operand] of Object.entries(table)) {
    const own = operand.repeatable ? texts.slice(taken) : texts.slice(taken, taken + 1);
    if (own.length === 0 && !operand.optional) throw missingOperand(name, operand);
    const parsed = own.map((text) => parseValue(operandName(name), operandName(name), operand, text));
    values[name] = operand.repeatable ? parsed : parsed[0];
    taken += own.length;
  }
  if (texts.length > taken) {
    const names = Object.keys(table).map(operandName).join(' and ');
    throw new UsageError({
      code: 'ERR_UNEXPECTED_OPERAND',
      subject: JSON.stringify(texts[taken]),
      problem: names ? `is more than ${names}` : 'no argument is expected',
      remedy: 'leave it out, or put quotes around an argument with spaces',
    });
  }
  return values;
}

function missingOperand(name: string, { forms }: Operand): UsageError {
  return new UsageError({
    code: 'ERR_MISSING_OPERAND',
    subject: operandName(name),
    problem: 'is missing',
    remedy: `write ${forms?.[0]?.[0] ?? operandName(name)} after the options`,
  });
}
