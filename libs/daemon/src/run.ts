import { ExitCode, ExitError, exitCodeOf } from './exit-status.ts';
import { createLog, type Log } from './log.ts';
import { writeText } from './output.ts';
import { type CommandLine, type Invocation, parseCommandLine } from './parse-command-line.ts';
import type { OperandTable, OptionTable, Program } from './program.ts';
import { ServiceManager } from './service-manager.ts';
import { Shutdown } from './shutdown.ts';
import { UsageError } from './usage-error.ts';

const STDOUT = 1;
const STDERR = 2;

/** What a program is given to run with. */
export interface Context<Options extends OptionTable, Operands extends OperandTable>
  extends Invocation<Options, Operands> {
  readonly log: Log;
  readonly shutdown: Shutdown;
  readonly serviceManager: ServiceManager;
}

/**
 * Runs a program in this process: reads its command line, answers --help, --version and --completion, else calls `main`.
 *
 * When `main` resolves to an exit code, or throws, or anything is thrown that nobody catches, the shutdown handlers run and
 * the process exits; when it resolves to nothing, the process lives for as long as something keeps it alive.
 */
export async function runProgram<Options extends OptionTable, Operands extends OperandTable>(
  program: Program<Options, Operands>,
  main: (context: Context<Options, Operands>) => Promise<ExitCode | undefined>,
): Promise<void> {
  let commandLine: CommandLine<Options, Operands>;
  try {
    commandLine = parseCommandLine(program, process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.exitCode = refuse(program, error);
    return;
  }
  if (commandLine.kind === 'run') await run(program, commandLine, main);
  else writeText(STDOUT, await answer(program, commandLine));
}

async function answer(program: Program, asked: { kind: string; shell?: 'bash' | 'zsh' }): Promise<string> {
  if (asked.kind === 'version') return `${program.name} ${program.version()}\n`;
  if (asked.shell) return (await import('./completion.ts')).completionScript(program, asked.shell);
  return (await import('./help.ts')).helpText(program);
}

async function run<Options extends OptionTable, Operands extends OperandTable>(
  program: Program<Options, Operands>,
  { options, operands }: Invocation<Options, Operands>,
  main: (context: Context<Options, Operands>) => Promise<ExitCode | undefined>,
): Promise<void> {
  const log = createLog({ program: program.name, format: options.logFormat, level: options.logLevel });
  const serviceManager = new ServiceManager();
  const shutdown = new Shutdown({ log, announce: () => serviceManager.notify({ stopping: true }) });
  const fail = (error: unknown) => shutdown.begin(report(program, log, error));
  process.on('uncaughtException', fail);
  try {
    const exitCode = await main({ options, operands, log, shutdown, serviceManager });
    if (exitCode !== undefined) await shutdown.begin(exitCode);
  } catch (error) {
    await fail(error);
  }
}

/** Tells the user why the program ends, and gives the code that it ends with. */
function report(program: Program, log: Log, error: unknown): ExitCode {
  if (error instanceof UsageError) return refuse(program, error);
  const exitCode = exitCodeOf(error);
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  if (error instanceof ExitError) log.error(message, { code: error.code });
  else log.error(message, { error, ...(exitCode === ExitCode.internal ? { stack } : {}) });
  return exitCode;
}

function refuse({ name }: Program, error: UsageError): ExitCode {
  writeText(STDERR, `${name}: ${error.message}\nTry '${name} --help'.\n`);
  return error.exitCode;
}
