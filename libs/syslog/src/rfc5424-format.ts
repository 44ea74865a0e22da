import { copyTo } from './copy.ts';
import type { LogRecord } from './record.ts';
import type { RecordFormat } from './sink.ts';
import { writeUtcTime } from './timestamp.ts';
import {
  hostnameBytes,
  TAG_OVERHEAD,
  textWriter,
  writeHostname,
  writePriority,
  writeProcessId,
  writeTag,
  writeWord,
} from './writing.ts';

const SPACE = 0x20;
const NIL = 0x2d;
const encoder = new TextEncoder();

/** Elements by their SD-ID, each with its parameters: `{ origin: { software: 'vm_syslog' } }`. */
export type StructuredData = Readonly<Record<string, Readonly<Record<string, string>>>>;

export interface Rfc5424FormatOptions {
  /** The name of the host in records that do not say it themselves. */
  readonly hostname: string;
  /**
   * Structured data of records that bring none. A name of one's own has `@` and an enterprise number in it (section 7.2.2).
   * Throws a RangeError for a name of other than 1 to 32 printable characters without `=`, `]` and `"`.
   */
  readonly structuredData?: StructuredData;
  /** Text and structured data are written byte for byte. By default they are scrubbed (`scrubTo`). */
  readonly raw?: boolean;
}

/**
 * `<PRI>1 YYYY-MM-DDThh:mm:ss.ffffffZ HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA TEXT` (RFC 5424). It is a datagram: on a stream it needs
 * framing. What a header must not have is `_` in it, and what is too long for it is cut.
 */
export function rfc5424Format(options: Rfc5424FormatOptions): RecordFormat {
  const write = textWriter(options.raw);
  const hostname = hostnameBytes(options.hostname || '-');
  const data = encoder.encode(structuredDataText(options.structuredData ?? {}));
  return {
    overhead: 5 + 2 + 27 + hostname.length + TAG_OVERHEAD + 10 + data.length + 12,
    write(record, out, at) {
      let to = writePriority(out, at, record.facility, record.severity);
      out[to++] = 0x31;
      out[to++] = SPACE;
      to = endField(out, to, writeUtcTime(out, to, record.seconds, record.nanoseconds));
      to = endField(out, to, writeHostname(record, hostname, out, to));
      to = endField(out, to, writeTag(record, out, to, writeAppName));
      to = endField(out, to, writeProcessId(record, out, to, writeProcId));
      to = endField(
        out,
        to,
        writeMessageId(record.bytes, record.messageIdStart, record.messageIdEnd, out, to),
      );
      to = writeData(record, data, out, to, write);
      if (record.messageStart === record.messageEnd) return to;
      out[to++] = SPACE;
      return write(record.bytes, record.messageStart, record.messageEnd, out, to);
    },
  };
}

/** A space behind a field; `-` for one that is empty. */
function endField(out: Uint8Array, start: number, end: number): number {
  let to = end;
  if (to === start) out[to++] = NIL;
  out[to++] = SPACE;
  return to;
}

/** Field lengths of section 6. */
function writeAppName(bytes: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  return writeWord(bytes, start, end, out, at, 48);
}

function writeProcId(bytes: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  return writeWord(bytes, start, end, out, at, 128);
}

function writeMessageId(bytes: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  return writeWord(bytes, start, end, out, at, 32);
}

/** What the record brought, which the parser has found to be well-formed, else what the format has. */
function writeData(
  record: LogRecord,
  data: Uint8Array,
  out: Uint8Array,
  at: number,
  write: typeof copyTo,
): number {
  const { bytes, dataStart: start, dataEnd: end } = record;
  // A dictionary of the kernel is something else.
  if (end > start && record.source === 'syslog') return write(bytes, start, end, out, at);
  return copyTo(data, 0, data.length, out, at);
}

function structuredDataText(data: StructuredData): string {
  const elements = Object.entries(data).map(([id, parameters]) => {
    const inside = Object.entries(parameters).map(
      ([name, value]) => ` ${checkedName(name)}="${value.replace(/["\\\]]/g, '\\$&')}"`,
    );
    return `[${checkedName(id)}${inside.join('')}]`;
  });
  return elements.join('') || '-';
}

function checkedName(name: string): string {
  if (/^[!#-<>-\\^-~]{1,32}$/.test(name)) return name;
  throw new RangeError(
    `'${name}' cannot name structured data: 1 to 32 printable ASCII characters without =, ] and " can`,
  );
}
