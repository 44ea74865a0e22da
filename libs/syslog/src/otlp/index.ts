export { OtlpError, type OtlpExporterOptions } from './otlp-exporter.ts';
export { type OtlpFormatOptions, otlpFormat } from './otlp-format.ts';
export { OtlpSink, type OtlpSinkCounters, type OtlpSinkOptions } from './otlp-sink.ts';
