import { Facility } from './priority.ts';
import type { LogRecord } from './record.ts';
import { parseTag } from './rfc3164.ts';

const SPACE = 0x20;
const NEWLINE = 0x0a;
const COMMA = 0x2c;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;

/** The numbers in front of a record's text: its priority, its sequence number, and its time. In here they need no object each. */
const prefix = new Float64Array(3);
/** Facilities have seven bits in a record; a time is one that a number can tell exactly. */
const MOST = [127 * 8 + 7, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER] as const;
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Parses a record that read(2) of /dev/kmsg returns (Documentation/ABI/testing/dev-kmsg): `PRIORITY,SEQUENCE,MICROSECONDS,FLAGS[,...];TEXT`, and
 * lines with a space in front, the dictionary, which become `data`. What a program wrote there has a tag. Nothing throws: where the bytes are no
 * such record, all of them are text.
 *
 * @param record made ready by `reset`, with the time when it was read
 * @param bootMicros when the kernel's clock was at 0, in microseconds since 1970; without it the time stays that of reading
 * @returns whether it is one
 */
export function parseKmsg(record: LogRecord, bootMicros: number = Number.NaN): boolean {
  const { bytes, start } = record;
  let end = record.end;
  if (end > start && bytes[end - 1] === NEWLINE) end--;
  record.source = 'kernel';
  record.end = record.messageEnd = end;
  const flags = parsePrefix(bytes, start, end);
  if (flags < 0) return false;
  const text = find(bytes, SEMICOLON, flags, end) + 1;
  if (text > end) return false;

  const priority = prefix[0] as number;
  record.facility = priority >> 3;
  record.severity = priority & 7;
  record.hasPriority = true;
  record.sequence = prefix[1] as number;
  record.monotonic = prefix[2] as number;
  if (!Number.isNaN(bootMicros)) setTime(record, bootMicros + record.monotonic);
  // `c`: the line goes on in the next record. `+` has been, before Linux 4.10, one that goes on.
  record.isFragment = bytes[flags] === 0x63 || bytes[flags] === 0x2b;
  const textEnd = Math.min(find(bytes, NEWLINE, text, end), end);
  record.contentStart = record.messageStart = text;
  record.messageEnd = textEnd;
  record.dataStart = Math.min(textEnd + 1, end);
  record.dataEnd = end;
  if (record.facility !== Facility.kernel) parseTag(record, text, textEnd);
  return true;
}

/** Three numbers with a comma behind each. @returns the end of them, -1: they are not there */
function parsePrefix(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (let field = 0; field < 3; field++) {
    const first = at;
    let value = 0;
    for (; at < end; at++) {
      const digit = (bytes[at] as number) - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    if (at === first || at === end || bytes[at] !== COMMA || value > (MOST[field] as number)) return -1;
    prefix[field] = value;
    at++;
  }
  return at;
}

function setTime(record: LogRecord, micros: number): void {
  record.seconds = Math.floor(micros / 1e6);
  record.nanoseconds = Math.floor(micros - record.seconds * 1e6) * 1000;
  record.hasTime = true;
}

/** Where a byte is; `end`: nowhere. */
function find(bytes: Uint8Array, byte: number, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== byte) at++;
  return at;
}

/**
 * Puts back what the kernel wrote as `\xNN` in the text of a record: controls, backslashes, and all that is not ASCII. It happens in the bytes of
 * the record; its dictionary stays as it is.
 */
export function unescapeKmsg(record: LogRecord): void {
  const { bytes, messageStart, messageEnd } = record;
  record.messageEnd = unescapeTo(bytes, messageStart, messageEnd, bytes, messageStart);
}

/** The dictionary of a record of the kernel: `SUBSYSTEM`, `DEVICE`. */
export function kmsgDictionaryOf(record: LogRecord): Map<string, string> {
  const dictionary = new Map<string, string>();
  if (record.source !== 'kernel') return dictionary;
  // Its values are unescaped in here.
  const bytes = new Uint8Array(record.bytes.subarray(record.dataStart, record.dataEnd));
  for (let at = 0; at < bytes.length; ) {
    const end = find(bytes, NEWLINE, at, bytes.length);
    const equals = find(bytes, EQUALS, at, end);
    if (bytes[at] === SPACE && equals < end) {
      const valueEnd = unescapeTo(bytes, equals + 1, end, bytes, equals + 1);
      dictionary.set(
        decoder.decode(bytes.subarray(at + 1, equals)),
        decoder.decode(bytes.subarray(equals + 1, valueEnd)),
      );
    }
    at = end + 1;
  }
  return dictionary;
}

/** Copies without escapes. @returns the end in `out`, which may be the same bytes */
export function unescapeTo(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
): number {
  let to = at;
  for (let from = start; from < end; from++) {
    const byte = bytes[from] as number;
    const value =
      byte === BACKSLASH && end - from >= 4 && bytes[from + 1] === 0x78 ? hexPair(bytes, from + 2) : -1;
    out[to++] = value < 0 ? byte : value;
    if (value >= 0) from += 3;
  }
  return to;
}

function hexPair(bytes: Uint8Array, at: number): number {
  const high = hexDigit(bytes[at] as number);
  const low = hexDigit(bytes[at + 1] as number);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
