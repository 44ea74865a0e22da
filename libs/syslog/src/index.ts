export { Aggregator, type AggregatorCounters, type AggregatorOptions } from './aggregator.ts';
export { type Batch, BatchRefusedError } from './batch.ts';
export {
  type DevLogCounters,
  type DevLogListenOptions,
  DevLogServer,
  type DevLogServerOptions,
} from './dev-log-server.ts';
export { FileSink, type FileSinkOptions } from './file-sink.ts';
export { newlineFramed, octetCounted } from './framed-format.ts';
export { type HostSyslogCounters, HostSyslogSink, type HostSyslogSinkOptions } from './host-syslog-sink.ts';
export type { IntakeCounters, IntakeOptions, RecordTaker } from './intake.ts';
export { type JournalFieldsOptions, journalExportFormat, journalNativeFormat } from './journal-fields.ts';
export { kmsgDictionaryOf, parseKmsg, unescapeKmsg } from './kmsg.ts';
export { type KmsgCounters, KmsgReader, type KmsgReaderOptions } from './kmsg-reader.ts';
export { Facility, Severity } from './priority.ts';
export { RateLimiter, type RateLimitOptions, type Suppressed } from './rate-limit.ts';
export { LogRecord, type RecordFields } from './record.ts';
export { parseRfc3164 } from './rfc3164.ts';
export {
  type LineFormatOptions,
  logFileFormat,
  type Rfc3164FormatOptions,
  rfc3164Format,
} from './rfc3164-format.ts';
export { parseRfc5424, parseSyslog, type StructuredElement, structuredDataOf } from './rfc5424.ts';
export { type Rfc5424FormatOptions, rfc5424Format, type StructuredData } from './rfc5424-format.ts';
export { RotatingFile, type RotatingFileOptions, type SyncPolicy } from './rotating-file.ts';
export { scrub, scrubTo } from './scrub.ts';
export type { ByteSink, RecordFormat, Sink, SinkCounters } from './sink.ts';
export { type Recovered, Spill, SpillInUseError, type SpillOptions } from './spill.ts';
export { type TcpSyslogCounters, TcpSyslogSink, type TcpSyslogSinkOptions } from './tcp-syslog-sink.ts';
export { ParsedTime, parseIsoTime, parseLocalTime, writeLocalTime, writeUtcTime } from './timestamp.ts';
export { DevLogInUseError } from './unix-name.ts';
export { type VmFormatOptions, vmFileFormat, vmSocketFormat } from './vm-format.ts';
