export { type CollectOptions, collectCrash, type Report } from './collect-crash.ts';
export { CORE_PIPE_LIMIT, type CrashedProcess, parseCrash, setCorePattern } from './core-pattern.ts';
export { CrashHost, type CrashHostOptions } from './crash-host.ts';
export { isInOwnPidNamespace } from './pid-namespace.ts';
export { type ReportCrashOptions, type ReportOutcome, reportCrash } from './report-crash.ts';
export { type Resent, Spool, type SpoolOptions } from './spool.ts';
