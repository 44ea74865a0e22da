import { isUtf8 } from 'node:buffer';
import { copyTo } from '../copy.ts';
import type { LogRecord } from '../record.ts';
import { scrubTo } from '../scrub.ts';
import type { RecordFormat } from '../sink.ts';
import { writeTag } from '../writing.ts';
import {
  FIXED64,
  HEADER,
  LENGTH,
  reserveLength,
  setLength,
  tag,
  VARINT,
  writeFixed64,
  writeVarint,
} from './protobuf.ts';

// Messages of opentelemetry/proto: each a tag, what it is, and its fields.
/** `ScopeLogs.log_records` */
const LOG_RECORD = tag(2, LENGTH);
const TIME_UNIX_NANO = tag(1, FIXED64);
const SEVERITY_NUMBER = tag(2, VARINT);
const SEVERITY_TEXT = tag(3, LENGTH);
const BODY = tag(5, LENGTH);
const ATTRIBUTES = tag(6, LENGTH);
const OBSERVED_TIME_UNIX_NANO = tag(11, FIXED64);
/** `KeyValue` */
const KEY = tag(1, LENGTH);
const VALUE = tag(2, LENGTH);
/** `AnyValue` */
const STRING_VALUE = tag(1, LENGTH);
const INT_VALUE = tag(3, VARINT);
const BYTES_VALUE = tag(7, LENGTH);

/** Of syslog's severities, by the Data Model Appendix of OpenTelemetry's specification of logs. */
const severityNumbers = [21, 19, 18, 17, 13, 10, 9, 5];
const encoder = new TextEncoder();
const severityTexts = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'].map((text) =>
  encoder.encode(text),
);
/** Of attributes, by the same; a record is no resource, so that what names its program and host stands beside the others. */
const keys = {
  program: encoder.encode('service.name'),
  hostname: encoder.encode('host.name'),
  pid: encoder.encode('process.pid'),
  facility: encoder.encode('syslog.facility'),
  processId: encoder.encode('syslog.procid'),
  messageId: encoder.encode('syslog.msgid'),
  data: encoder.encode('syslog.structured_data'),
};
/** An attribute has four tags with lengths, and perhaps a number or `kernel`. */
const ATTRIBUTE = 4 * HEADER + 11;
const OVERHEAD = Object.values(keys).reduce((sum, key) => sum + key.length + ATTRIBUTE, 64);

export interface OtlpFormatOptions {
  /** A text that is UTF-8 is sent as it is, another as bytes. By default texts are scrubbed (`scrubTo`). */
  readonly raw?: boolean;
}

/** Writes records as `log_records` of a `ScopeLogs` (opentelemetry/proto/logs/v1/logs.proto): one behind the other they are one message. */
export function otlpFormat({ raw = false }: OtlpFormatOptions = {}): RecordFormat {
  return {
    overhead: OVERHEAD,
    write(record, out, at) {
      const { bytes } = record;
      const start = reserveLength(LOG_RECORD, out, at);
      let to = writeFixed64(TIME_UNIX_NANO, nanosOf(record), out, start);
      to = writeFixed64(OBSERVED_TIME_UNIX_NANO, BigInt(Date.now()) * 1_000_000n, out, to);
      to = writeVarint(SEVERITY_NUMBER, severityNumbers[record.severity] as number, out, to);
      to = writeBytes(SEVERITY_TEXT, severityTexts[record.severity] as Uint8Array, out, to);
      to = writeBody(record, raw, out, to);
      to = writeProgram(record, out, to);
      to = writeString(keys.hostname, bytes, record.hostnameStart, record.hostnameEnd, out, to);
      to = writeNumber(keys.facility, record.facility, out, to);
      if (record.pid > 0) to = writeNumber(keys.pid, record.pid, out, to);
      to = writeString(keys.processId, bytes, record.processIdStart, record.processIdEnd, out, to);
      to = writeString(keys.messageId, bytes, record.messageIdStart, record.messageIdEnd, out, to);
      if (record.source === 'syslog')
        to = writeString(keys.data, bytes, record.dataStart, record.dataEnd, out, to);
      setLength(out, start, to);
      return to;
    },
  };
}

/** 0: not known. */
function nanosOf({ seconds, nanoseconds }: LogRecord): bigint {
  return seconds > 0 ? BigInt(Math.floor(seconds)) * 1_000_000_000n + BigInt(Math.floor(nanoseconds)) : 0n;
}

function writeBytes(field: number, bytes: Uint8Array, out: Uint8Array, at: number): number {
  const start = reserveLength(field, out, at);
  const to = copyTo(bytes, 0, bytes.length, out, start);
  setLength(out, start, to);
  return to;
}

function writeBody(record: LogRecord, raw: boolean, out: Uint8Array, at: number): number {
  const { bytes, messageStart, messageEnd } = record;
  const isBytes = raw && !isUtf8(record.messageBytes);
  const start = reserveLength(BODY, out, at);
  const text = reserveLength(isBytes ? BYTES_VALUE : STRING_VALUE, out, start);
  const to = (raw ? copyTo : scrubTo)(bytes, messageStart, messageEnd, out, text);
  setLength(out, text, to);
  setLength(out, start, to);
  return to;
}

/** The name of the program; `kernel` for what the kernel says. */
function writeProgram(record: LogRecord, out: Uint8Array, at: number): number {
  const text = startString(keys.program, out, at);
  return endString(keys.program, out, at, text, writeTag(record, out, text, scrubTo));
}

function writeString(
  key: Uint8Array,
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
): number {
  const text = startString(key, out, at);
  return endString(key, out, at, text, scrubTo(bytes, start, end, out, text));
}

/** An attribute. @returns where its text begins */
function startString(key: Uint8Array, out: Uint8Array, at: number): number {
  const value = startValue(key, out, at);
  return reserveLength(STRING_VALUE, out, value);
}

/** @returns where the attribute ends; one without a text is none */
function endString(key: Uint8Array, out: Uint8Array, at: number, text: number, end: number): number {
  if (end === text) return at;
  setLength(out, text, end);
  return endValue(key, out, at, end);
}

function writeNumber(key: Uint8Array, number: number, out: Uint8Array, at: number): number {
  return endValue(key, out, at, writeVarint(INT_VALUE, number, out, startValue(key, out, at)));
}

function startValue(key: Uint8Array, out: Uint8Array, at: number): number {
  return reserveLength(VALUE, out, writeBytes(KEY, key, out, reserveLength(ATTRIBUTES, out, at)));
}

function endValue(key: Uint8Array, out: Uint8Array, at: number, end: number): number {
  const attribute = at + HEADER;
  setLength(out, attribute + HEADER + key.length + HEADER, end);
  setLength(out, attribute, end);
  return end;
}
