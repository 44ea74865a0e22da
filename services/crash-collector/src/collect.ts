import { closeSync, realpathSync } from 'node:fs';
import {
  CrashHost,
  parseCrash,
  type ReportOutcome,
  reportCrash,
  Spool,
  setCorePattern,
} from '@vm-tools/crash-report/guest';
import { type Context, ExitCode, ExitError, type Log, UsageError } from '@vm-tools/daemon';
import { CoreError } from '@vm-tools/minidump';
import { handlerLog } from './handler-log.ts';
import type { program } from './program.ts';

type Options = Context<typeof program.options, typeof program.operands>['options'];

/** What is logged of each way that a report may go; of what the host does not want, nothing that anyone has to look at. */
const OUTCOMES: Readonly<
  Record<ReportOutcome, readonly [level: 'info' | 'warn' | 'debug', message: string]>
> = {
  kept: ['info', 'crash reported'],
  spooled: ['warn', 'crash kept until the host is there'],
  full: ['warn', 'crash lost: the host is away, and no more reports are kept'],
  refused: ['warn', 'crash lost: the host refused the report'],
  unwanted: ['debug', 'crash not reported: there is no consent'],
  foreign: ['debug', 'crash not reported: the process is one of a container'],
};

/** Does the one thing that was asked for. */
export async function collect({
  options,
  log,
  shutdown,
}: Context<typeof program.options, typeof program.operands>): Promise<ExitCode> {
  const asked = (['init', 'user', 'resend'] as const).filter((each) => options[each]);
  if (asked.length !== 1) {
    throw new UsageError({
      code: asked.length === 0 ? 'ERR_MISSING_OPTION' : 'ERR_CONFLICTING_OPTIONS',
      subject: asked.length === 0 ? '--init, --user and --resend' : `--${asked[0]}`,
      problem: asked.length === 0 ? 'are all missing' : `does not go with --${asked[1]}`,
      remedy: 'give one of them',
    });
  }
  if (options.init) return init(options);
  await using host = new CrashHost({ address: options.host });
  const spool = new Spool(options.spool);
  if (options.user !== undefined)
    return await handle(options.user, options, { host, spool, signal: shutdown.signal });
  return await resend(host, spool, log);
}

function init({ handler }: Options): ExitCode {
  const command =
    handler === undefined ? [process.execPath, realpathSync(process.argv[1] as string)] : [handler];
  try {
    setCorePattern(command);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ExitError(`${error.message}, and name that with --handler`, {
      exitCode: ExitCode.config,
      code: 'ERR_CORE_PATTERN',
      cause: error,
    });
  }
  return ExitCode.ok;
}

async function handle(
  user: string,
  { budget, sanitize, logFormat: format, logLevel: level }: Options,
  ways: { readonly host: CrashHost; readonly spool: Spool; readonly signal: AbortSignal },
): Promise<ExitCode> {
  const crash = parseCrash(user);
  if (!crash) {
    throw new UsageError({
      code: 'ERR_INVALID_VALUE',
      subject: '--user',
      problem: `${JSON.stringify(user)} is not what the kernel tells of a crash`,
      remedy: 'write PID:SIGNAL:UID:GID:EXEC',
    });
  }
  const { pid, signal, exec } = crash;
  const log = handlerLog({ program: 'crash_collector', format, level }).with({ pid, signal, exec });
  try {
    const outcome = await reportCrash(0, crash, {
      ...ways,
      ...(budget === undefined ? {} : { budget }),
      sanitize,
      // The kernel lets the process go: what has crashed can be started anew while its report is sent.
      release: () => closeSync(0),
    });
    const [severity, message] = OUTCOMES[outcome];
    log[severity](message);
    return ExitCode.ok;
  } catch (error) {
    log.error('crash lost', { error });
    if (!(error instanceof CoreError)) throw error;
    throw new ExitError(error.message, { exitCode: ExitCode.config, code: error.code, cause: error });
  }
}

async function resend(host: CrashHost, spool: Spool, log: Log): Promise<ExitCode> {
  const { kept, refused, left } = await spool.resend(host);
  if (kept + refused + left > 0) log.info('reports that waited', { kept, refused, left });
  return left > 0 ? ExitCode.unavailable : ExitCode.ok;
}
