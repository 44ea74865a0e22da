import { readFileSync } from 'node:fs';
import type { ExitCode } from './exit-status.ts';

interface SpecBase {
  /** One letter, as in `-r`. */
  readonly short?: string;
  /** One or two clauses, begun in lower case and without a full stop. */
  readonly description: string;
}

/** An option that is there or not. */
export interface SwitchSpec extends SpecBase {
  readonly value?: undefined;
}

/** An option with a value. */
export interface ValueSpec extends SpecBase {
  /** What stands for the value in the help text: `DIR`. */
  readonly value: string;
  /**
   * The value of its text; the text itself without it. What it throws becomes a `UsageError`: the message of an error
   * says what is wrong, that of an `InvalidValue` also what to write instead.
   */
  readonly parse?: (text: string) => unknown;
  /** The texts allowed. */
  readonly choices?: readonly string[];
  /** May be given more than once; the value is the list, which may be empty. */
  readonly repeatable?: boolean;
  readonly required?: boolean;
  /** The text that is read when the option is absent. */
  readonly default?: string;
  /** What a shell offers for it. */
  readonly completes?: 'file' | 'directory';
}

export type OptionSpec = SwitchSpec | ValueSpec;

/** By name in camelCase; on the command line `readOnly` is `--read-only` and `--read_only`. */
export type OptionTable = Readonly<Record<string, OptionSpec>>;

/** What follows the options. */
export interface Operand {
  readonly description: string;
  /** As that of an option. */
  readonly parse?: (text: string) => unknown;
  readonly optional?: boolean;
  /** The last one alone: as many as are given; the value is the list. */
  readonly repeatable?: boolean;
  /** The forms it has, each with what it means. */
  readonly forms?: readonly (readonly [form: string, meaning: string])[];
  /** What a shell offers to begin with: `unix:`. */
  readonly beginnings?: readonly string[];
}

/** By name in camelCase, in their order; `listen` is shown as `LISTEN`. */
export type OperandTable = Readonly<Record<string, Operand>>;

/** One program, as its help text, man page, shell completion and parser all see it. */
export interface Program<
  Options extends OptionTable = OptionTable,
  Operands extends OperandTable = OperandTable,
> {
  readonly name: string;
  /** Of the man page: 1 for commands, 8 for daemons. */
  readonly section: 1 | 8;
  /** Asked for only when it is shown. */
  readonly version: () => string;
  /** What it does, as the man page's NAME line has it: `serve a directory over 9P2000.L`. */
  readonly summary: string;
  /** Paragraphs. */
  readonly description?: readonly string[];
  readonly options: Options;
  readonly operands: Operands;
  readonly environment?: readonly (readonly [name: string, meaning: string])[];
  readonly examples?: readonly (readonly [command: string, meaning: string])[];
  /** Those of the exit codes that it can end with; all by default. */
  readonly exitCodes?: readonly ExitCode[];
}

type Parsed<Spec> = Spec extends { readonly parse: (text: string) => infer Value }
  ? Value
  : Spec extends { readonly choices: readonly (infer Choice)[] }
    ? Choice
    : string;

type OptionValue<Spec> = Spec extends { readonly value: string }
  ? Spec extends { readonly repeatable: true }
    ? readonly Parsed<Spec>[]
    : Spec extends { readonly required: true } | { readonly default: string }
      ? Parsed<Spec>
      : Parsed<Spec> | undefined
  : boolean;

/** The values of a table's options. */
export type OptionValues<Options extends OptionTable> = {
  readonly [Name in keyof Options]: OptionValue<Options[Name]>;
};

/** The values of a table's operands. */
export type OperandValues<Operands extends OperandTable> = {
  readonly [Name in keyof Operands]: Operands[Name] extends { readonly repeatable: true }
    ? readonly Parsed<Operands[Name]>[]
    : Operands[Name] extends { readonly optional: true }
      ? Parsed<Operands[Name]> | undefined
      : Parsed<Operands[Name]>;
};

/** The options that every program has; the parser adds them. */
export const commonOptions = {
  logFormat: {
    value: 'FORMAT',
    choices: ['text', 'json'],
    default: 'text',
    description: 'how log lines are written to standard error: text or json',
  },
  logLevel: {
    value: 'LEVEL',
    choices: ['error', 'warn', 'info', 'debug'],
    default: 'info',
    description: 'the least that is logged: error, warn, info or debug',
  },
  completion: {
    value: 'SHELL',
    choices: ['bash', 'zsh'],
    description: 'print completion for bash or zsh and exit',
  },
  help: { short: 'h', description: 'print this text and exit' },
  version: { description: 'print the version and exit' },
} as const satisfies OptionTable;

/** The environment that a service manager gives; for the `environment` of a program that heeds it. */
export const serviceEnvironment: readonly (readonly [string, string])[] = [
  ['NOTIFY_SOCKET', 'where the service manager is told of readiness and end (sd_notify(3))'],
  [
    'LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES',
    'the sockets that the service manager passes (sd_listen_fds(3))',
  ],
  [
    'JOURNAL_STREAM',
    'when standard error is the journal, text log lines carry its priority in place of the time',
  ],
];

/** Gives the table its exact type, from which those of the values follow. */
export function defineProgram<const Options extends OptionTable, const Operands extends OperandTable>(
  program: Program<Options, Operands>,
): Program<Options, Operands> {
  return program;
}

/** The version in a package.json. */
export function packageVersion(manifest: URL): string {
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

/** `socketGid` -> `--socket-gid` */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `listen` -> `LISTEN` */
export function operandName(name: string): string {
  return flagOf(name).slice(2).toUpperCase();
}

/** Its own options and the common ones, in the order in which they are shown. */
export function allOptions(program: Program): [name: string, spec: OptionSpec][] {
  return Object.entries<OptionSpec>({ ...program.options, ...commonOptions });
}
