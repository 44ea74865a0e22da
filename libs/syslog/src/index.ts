export { Facility, Severity } from './priority.ts';
export { LogRecord, type RecordFields } from './record.ts';
export { parseRfc3164 } from './rfc3164.ts';
export { scrub, scrubTo } from './scrub.ts';
export type { ByteSink, RecordFormat, Sink, SinkCounters } from './sink.ts';
export { ParsedTime, parseIsoTime, parseLocalTime, writeLocalTime } from './timestamp.ts';
