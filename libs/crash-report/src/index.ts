export { consentByFile } from './consent.ts';
export { type CrashListenerOptions, crashListener, type FailureNotice } from './crash-listener.ts';
export { type KeptReport, ReportDirectory, type ReportDirectoryOptions } from './report-directory.ts';
