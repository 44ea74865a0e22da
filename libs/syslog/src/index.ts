export { Facility, Severity } from './priority.ts';
export { LogRecord, type RecordFields } from './record.ts';
export type { ByteSink, RecordFormat, Sink, SinkCounters } from './sink.ts';
