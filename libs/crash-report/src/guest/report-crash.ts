import type { CoreSource } from '@vm-tools/minidump/host';
import { type CollectOptions, collectCrash, type Report } from './collect-crash.ts';
import type { CrashedProcess } from './core-pattern.ts';
import type { CrashHost } from './crash-host.ts';
import { isInOwnPidNamespace } from './pid-namespace.ts';
import type { Spool } from './spool.ts';

export interface ReportCrashOptions extends CollectOptions {
  readonly host: CrashHost;
  readonly spool: Spool;
  /** Called when nothing more is needed of the process: whoever waits for the handler may have it. */
  readonly release?: () => void;
}

/**
 * What became of a crash: the host has `kept` it; it waits in the spool (`spooled`), or is lost, since there was no room (`full`);
 * the host has `refused` it; there was no consent (`unwanted`); the process was one of a container (`foreign`).
 */
export type ReportOutcome = 'kept' | 'spooled' | 'full' | 'refused' | 'unwanted' | 'foreign';

/**
 * Reports a crash to the host while its core comes in. The host is asked for consent meanwhile, and when it says no the core is read no
 * further. After a report that arrived, those that wait are sent, too.
 *
 * @throws as `collectCrash`; errors of the spool's files
 */
export async function reportCrash(
  input: CoreSource,
  crash: CrashedProcess,
  { host, spool, release, ...options }: ReportCrashOptions,
): Promise<ReportOutcome> {
  if (!isInOwnPidNamespace(crash.pid, options.proc)) return 'foreign';
  const refusal = new AbortController();
  const asked = host.consent().then((consent) => {
    if (consent === 'no') refusal.abort();
    return consent;
  });
  const signal = options.signal ? AbortSignal.any([options.signal, refusal.signal]) : refusal.signal;
  let report: Report;
  try {
    report = await collectCrash(input, crash, { ...options, signal });
  } catch (error) {
    if (refusal.signal.aborted && !options.signal?.aborted) return 'unwanted';
    throw error;
  } finally {
    release?.();
  }
  const consent = await asked;
  if (consent === 'no') return 'unwanted';
  const outcome = consent === 'away' ? 'later' : await host.send(report);
  if (outcome === 'later') return (await spool.put(report)) ? 'spooled' : 'full';
  if (outcome === 'kept') await spool.resend(host);
  return outcome;
}
