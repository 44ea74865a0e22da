import { copyTo } from './copy.ts';
import { unescapeTo } from './kmsg.ts';
import type { LogRecord } from './record.ts';
import type { RecordFormat } from './sink.ts';
import { writeLocalTime } from './timestamp.ts';
import { writeHostname, writeNumber, writeTag } from './writing.ts';

const SPACE = 0x20;
const NEWLINE = 0x0a;
const EQUALS = 0x3d;
const encoder = new TextEncoder();

/** The names of fields (systemd.journal-fields(7)); those with `_` in front tell what the sender cannot lie about. */
const names = {
  MESSAGE: encoder.encode('MESSAGE'),
  PRIORITY: encoder.encode('PRIORITY'),
  SYSLOG_FACILITY: encoder.encode('SYSLOG_FACILITY'),
  SYSLOG_IDENTIFIER: encoder.encode('SYSLOG_IDENTIFIER'),
  SYSLOG_PID: encoder.encode('SYSLOG_PID'),
  SYSLOG_TIMESTAMP: encoder.encode('SYSLOG_TIMESTAMP'),
  SYSLOG_MSGID: encoder.encode('SYSLOG_MSGID'),
  SYSLOG_STRUCTURED_DATA: encoder.encode('SYSLOG_STRUCTURED_DATA'),
  __REALTIME_TIMESTAMP: encoder.encode('__REALTIME_TIMESTAMP'),
  _SOURCE_MONOTONIC_TIMESTAMP: encoder.encode('_SOURCE_MONOTONIC_TIMESTAMP'),
  _HOSTNAME: encoder.encode('_HOSTNAME'),
  _PID: encoder.encode('_PID'),
  _UID: encoder.encode('_UID'),
  _GID: encoder.encode('_GID'),
};
const SYSLOG = encoder.encode('_TRANSPORT=syslog\n');
const KERNEL = encoder.encode('_TRANSPORT=kernel\n');
const KERNEL_PREFIX = encoder.encode('_KERNEL_');
/** A number in decimal, `=` or the length of a value and two newlines. */
const FIELD = 10 + 16;
const OVERHEAD = Object.values(names).reduce((sum, name) => sum + name.length + FIELD, SYSLOG.length + 1);

export interface JournalFieldsOptions {
  /**
   * Fields that every record has besides its own.
   * Throws a RangeError for a name of other than up to 64 of `A` to `Z`, `0` to `9` and `_`, or with a digit in front.
   */
  readonly fields?: Readonly<Record<string, string>>;
}

/**
 * Fields in journald's native protocol: a datagram for /run/systemd/journal/socket
 * (https://systemd.io/JOURNAL_NATIVE_PROTOCOL). journald adds who sent it, and when.
 */
export function journalNativeFormat(options: JournalFieldsOptions = {}): RecordFormat {
  const own = ownFields(options);
  return {
    overhead: OVERHEAD + own.length,
    write(record, out, at) {
      const to = writeFields(record, out, copyTo(own, 0, own.length, out, at));
      return record.hasTime && record.source === 'syslog' ? writeTimestamp(record, out, to) : to;
    },
  };
}

/**
 * Entries in the Journal Export Format (https://systemd.io/JOURNAL_EXPORT_FORMATS), as `systemd-journal-remote` takes them: who sent a record and
 * when, by the kernel's word, is told too.
 */
export function journalExportFormat(
  options: JournalFieldsOptions & {
    /** The name of the host in records that do not say it themselves. */
    readonly hostname: string;
  },
): RecordFormat {
  const own = ownFields(options);
  const hostname = encoder.encode(options.hostname);
  return {
    overhead: OVERHEAD + own.length + hostname.length,
    write(record, out, at) {
      const micros = Math.max(0, record.seconds * 1e6 + Math.floor(record.nanoseconds / 1000));
      let to = writeNumberField(names.__REALTIME_TIMESTAMP, micros, out, at);
      const transport = record.source === 'kernel' ? KERNEL : SYSLOG;
      to = copyTo(transport, 0, transport.length, out, to);
      to = endField(out, writeHostname(record, hostname, out, startField(names._HOSTNAME, out, to)));
      to = writeNumberField(names._PID, record.senderPid, out, to);
      to = writeNumberField(names._UID, record.senderUid, out, to);
      to = writeNumberField(names._GID, record.senderGid, out, to);
      to = copyTo(own, 0, own.length, out, to);
      to = writeFields(record, out, to);
      if (record.source === 'kernel') {
        to = writeNumberField(names._SOURCE_MONOTONIC_TIMESTAMP, record.monotonic, out, to);
        to = writeDictionary(record, out, to);
      }
      return endField(out, to);
    },
  };
}

/** What everybody may say of a record. Its text is written byte for byte. */
function writeFields(record: LogRecord, out: Uint8Array, at: number): number {
  const { bytes } = record;
  let to = writeField(names.MESSAGE, bytes, record.messageStart, record.messageEnd, out, at);
  to = writeNumberField(names.PRIORITY, record.severity, out, to);
  to = writeNumberField(names.SYSLOG_FACILITY, record.facility, out, to);
  if (record.source === 'kernel' && record.tagStart === record.tagEnd)
    to = endField(out, writeTag(record, out, startField(names.SYSLOG_IDENTIFIER, out, to), copyTo));
  else to = writeOptional(names.SYSLOG_IDENTIFIER, bytes, record.tagStart, record.tagEnd, out, to);
  if (record.processIdEnd > record.processIdStart)
    to = writeField(names.SYSLOG_PID, bytes, record.processIdStart, record.processIdEnd, out, to);
  else if (record.pid > 0 && record.senderPid < 0)
    to = writeNumberField(names.SYSLOG_PID, record.pid, out, to);
  if (record.source === 'kernel') return to;
  to = writeOptional(names.SYSLOG_MSGID, bytes, record.messageIdStart, record.messageIdEnd, out, to);
  return writeOptional(names.SYSLOG_STRUCTURED_DATA, bytes, record.dataStart, record.dataEnd, out, to);
}

function writeTimestamp(record: LogRecord, out: Uint8Array, at: number): number {
  return endField(out, writeLocalTime(out, startField(names.SYSLOG_TIMESTAMP, out, at), record.seconds));
}

function startField(name: Uint8Array, out: Uint8Array, at: number): number {
  const to = copyTo(name, 0, name.length, out, at);
  out[to] = EQUALS;
  return to + 1;
}

function endField(out: Uint8Array, at: number): number {
  out[at] = NEWLINE;
  return at + 1;
}

/** Nothing for what is negative or no number: it is not known. */
function writeNumberField(name: Uint8Array, value: number, out: Uint8Array, at: number): number {
  return value >= 0 ? endField(out, writeNumber(out, startField(name, out, at), value)) : at;
}

function writeOptional(
  name: Uint8Array,
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
): number {
  return end > start ? writeField(name, bytes, start, end, out, at) : at;
}

function writeField(
  name: Uint8Array,
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
): number {
  const value = startField(name, out, at);
  return closeValue(out, value, copyTo(bytes, start, end, out, value));
}

/** `NAME=VALUE`, or `NAME`, a newline and the length of VALUE in 64 bits, little endian, when it has controls in it; a newline behind both. */
function closeValue(out: Uint8Array, start: number, end: number): number {
  if (!hasControls(out, start, end)) return endField(out, end);
  out.copyWithin(start + 8, start, end);
  out[start - 1] = NEWLINE;
  let rest = end - start;
  for (let i = 0; i < 8; i++) {
    out[start + i] = rest & 0xff;
    rest = Math.floor(rest / 256);
  }
  return endField(out, end + 8);
}

function hasControls(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if ((bytes[at] as number) < SPACE) return true;
  return false;
}

/** The dictionary of a record of the kernel, with `_KERNEL_` in front of its names. */
function writeDictionary(record: LogRecord, out: Uint8Array, at: number): number {
  const { bytes, dataEnd } = record;
  let to = at;
  let end = record.dataStart;
  for (let start = end; start < dataEnd; start = end + 1) {
    for (end = start; end < dataEnd && bytes[end] !== NEWLINE; ) end++;
    const equals = endOfName(bytes, start + 1, end);
    if (bytes[start] !== SPACE || equals === start + 1 || bytes[equals] !== EQUALS || equals >= end) continue;
    const name = copyTo(KERNEL_PREFIX, 0, KERNEL_PREFIX.length, out, to);
    const value = copyTo(bytes, start + 1, equals + 1, out, name);
    to = closeValue(out, value, unescapeTo(bytes, equals + 1, end, out, value));
  }
  return to;
}

function endOfName(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (; at < end; at++) {
    const byte = bytes[at] as number;
    const isLetter = byte >= 0x41 && byte <= 0x5a;
    if (!isLetter && byte !== 0x5f && (byte < 0x30 || byte > 0x39)) break;
  }
  return at;
}

function ownFields({ fields = {} }: JournalFieldsOptions): Uint8Array {
  const written = Object.entries(fields).map(([name, text]) => {
    if (!/^[A-Z_][A-Z0-9_]{0,63}$/.test(name))
      throw new RangeError(
        `'${name}' cannot name a field of the journal: up to 64 of A-Z, 0-9 and _ can, without a digit in front`,
      );
    const value = encoder.encode(text);
    const out = new Uint8Array(name.length + value.length + FIELD);
    return out.subarray(0, writeField(encoder.encode(name), value, 0, value.length, out, 0));
  });
  return Buffer.concat(written);
}
