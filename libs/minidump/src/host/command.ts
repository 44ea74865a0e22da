import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** Exit codes, of sysexits.h. */
export const Exit = {
  ok: 0,
  usage: 64,
  /** The input is no core, or no minidump. */
  dataError: 65,
  noInput: 66,
  internal: 70,
  cannotCreate: 73,
  ioError: 74,
} as const;

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Something that went wrong, and what to exit with. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;

  constructor(message: string, options: { readonly exitCode: number; readonly cause: unknown }) {
    super(message, { cause: options.cause });
    this.exitCode = options.exitCode;
  }
}

export interface CommandOption {
  readonly short?: string;
  /** What stands for its value in the help text; without it the option is a switch. */
  readonly value?: string;
  readonly repeatable?: boolean;
  readonly description: string;
}

export interface CommandTable {
  readonly name: string;
  /** What follows the name in the first line of the help text. */
  readonly usage: string;
  readonly summary: string;
  readonly options: Readonly<Record<string, CommandOption>>;
}

export interface CommandLine {
  readonly values: Record<string, unknown>;
  readonly operands: string[];
}

const common: Record<string, CommandOption> = {
  help: { short: 'h', description: 'print this, and exit' },
  version: { description: 'print the version, and exit' },
};

/** A program of this package: its options, its help text, and what it exits with. */
export class Command {
  readonly name: string;
  readonly #table: CommandTable;

  constructor(table: CommandTable) {
    this.name = table.name;
    this.#table = { ...table, options: { ...table.options, ...common } };
  }

  /** Runs the program of the command line and sets the exit code; never throws. */
  async run(main: (line: CommandLine) => Promise<number> | number): Promise<void> {
    try {
      const line = this.#parse(process.argv.slice(2));
      if (line.values['help']) process.stdout.write(this.helpText);
      else if (line.values['version']) process.stdout.write(`${this.name} ${version()}\n`);
      else process.exitCode = await main(line);
    } catch (error) {
      this.#failed(error as Error);
    }
  }

  /** Tells what went wrong. @returns the exit code */
  fail(message: string, exitCode: number): number {
    process.stderr.write(`${this.name}: ${message}\n`);
    return exitCode;
  }

  get helpText(): string {
    const { name, usage, summary, options } = this.#table;
    const rows = Object.entries(options).map(([option, { short, value, description }]) => [
      `  ${short ? `-${short}, ` : '    '}--${option}${value ? `=${value}` : ''}`,
      description,
    ]);
    const width = Math.max(...rows.map(([left = '']) => left.length));
    const lines = rows.map(([left = '', right]) => `${left.padEnd(width)}  ${right}`);
    return `Usage: ${name} ${usage}\n${summary}\n\n${lines.join('\n')}\n`;
  }

  #parse(args: string[]): CommandLine {
    const options = Object.fromEntries(
      Object.entries(this.#table.options).map(([name, { short, value, repeatable = false }]) => [
        name,
        { type: value ? 'string' : 'boolean', multiple: repeatable, ...(short && { short }) } as const,
      ]),
    );
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    return { values, operands: positionals };
  }

  #failed(error: NodeJS.ErrnoException): void {
    const isUsage = error instanceof UsageError || error.code?.startsWith('ERR_PARSE_ARGS_');
    if (isUsage) {
      process.exitCode = this.fail(`${error.message}\nTry '${this.name} --help'.`, Exit.usage);
    } else if (error instanceof CommandError) {
      process.exitCode = this.fail(error.message, error.exitCode);
    } else if (error.syscall !== undefined) {
      const missing = error.code === 'ENOENT' || error.code === 'EACCES';
      process.exitCode = this.fail(
        error.message,
        error.syscall === 'open' && missing ? Exit.noInput : Exit.ioError,
      );
    } else process.exitCode = this.fail(error.stack ?? error.message, Exit.internal);
  }
}

function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
