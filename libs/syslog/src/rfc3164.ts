import type { LogRecord } from './record.ts';
import { ParsedTime, parseIsoTime, parseLocalTime } from './timestamp.ts';

const SPACE = 0x20;
const COLON = 0x3a;
const OPEN = 0x5b;
const CLOSE = 0x5d;
/** Longer ones are text that happens to have a colon. */
const LONGEST_TAG = 256;
const time = new ParsedTime();

/**
 * Parses a message as programs send it to `/dev/log` (RFC 3164, without a host name): `<PRI>Mmm dd hh:mm:ss TAG[PID]: TEXT`, of which only the
 * text must be there. In place of the time one of RFC 5424 may stand. Nothing throws: what is not understood is text.
 *
 * @param record made ready by `reset`, with the time when the message came
 * @param hasHostname the name of a host may stand behind the time, as it does in the network
 */
export function parseRfc3164(record: LogRecord, hasHostname = false): void {
  const { bytes } = record;
  const end = withoutTrailer(bytes, record.start, record.end);
  record.end = record.messageEnd = end;
  const behindPriority = parsePriority(record);
  const behindTime = parseTime(record, behindPriority, end);
  const behindHost = hasHostname && record.hasTime ? parseHostname(record, behindTime, end) : behindTime;
  record.contentStart = behindHost;
  parseTag(record, skipSpaces(bytes, behindHost, end), end);
}

/** What closes a message in a stream, and what programs that count wrongly send along. */
export function withoutTrailer(bytes: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && (bytes[at - 1] === 0 || bytes[at - 1] === 0x0a)) at--;
  return at;
}

/** `<` one to three digits `>`. @returns where it ends, or the beginning when there is none */
export function parsePriority(record: LogRecord): number {
  const { bytes, start, end } = record;
  if (end - start < 3 || bytes[start] !== 0x3c) return start;
  let value = 0;
  let at = start + 1;
  for (; at < end && at < start + 4; at++) {
    const digit = (bytes[at] as number) - 0x30;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  if (at === start + 1 || at === end || bytes[at] !== 0x3e) return start;
  record.facility = value >> 3;
  record.severity = value & 7;
  record.hasPriority = true;
  return at + 1;
}

function parseTime(record: LogRecord, start: number, end: number): number {
  const { bytes } = record;
  const at = skipSpaces(bytes, start, end);
  const first = bytes[at] ?? 0;
  let behind = -1;
  if (first >= 0x41 && first <= 0x53) behind = parseLocalTime(bytes, at, end, record.seconds, time);
  else if (first >= 0x30 && first <= 0x39) behind = parseIsoTime(bytes, at, end, time);
  if (behind < 0) return start;
  record.seconds = time.seconds;
  record.nanoseconds = time.nanoseconds;
  record.hasTime = true;
  return behind;
}

/** A word that is no tag. @returns where it ends, or the beginning when there is none */
function parseHostname(record: LogRecord, start: number, end: number): number {
  const { bytes } = record;
  const first = skipSpaces(bytes, start, end);
  let at = first;
  while (at < end && (bytes[at] as number) > SPACE && bytes[at] !== OPEN) at++;
  if (at === first || at === end || bytes[at] !== SPACE || bytes[at - 1] === COLON) return start;
  record.hostnameStart = first;
  record.hostnameEnd = at;
  return at;
}

/** A word that ends with a colon, or with something in brackets. Without one, all is text. */
export function parseTag(record: LogRecord, start: number, end: number): void {
  const { bytes } = record;
  const limit = Math.min(end, start + LONGEST_TAG);
  record.messageStart = start;
  let at = start;
  for (; at < limit; at++) {
    const byte = bytes[at] as number;
    if (byte <= SPACE || byte === OPEN || (byte === COLON && endsWord(bytes, at + 1, end))) break;
  }
  if (at === start || at === limit || (bytes[at] !== OPEN && bytes[at] !== COLON)) return;
  const tagEnd = at;
  if (bytes[at] === OPEN) {
    while (at < limit && bytes[at] !== CLOSE && bytes[at] !== SPACE) at++;
    if (at === limit || bytes[at] !== CLOSE) return;
    const behind = bytes[at + 1] === COLON && at + 1 < end ? at + 2 : at + 1;
    if (!endsWord(bytes, behind, end)) return;
    record.processIdStart = tagEnd + 1;
    record.processIdEnd = at;
    record.pid = parsePid(bytes, tagEnd + 1, at);
    at = behind;
  } else {
    at++;
  }
  record.tagStart = start;
  record.tagEnd = tagEnd;
  record.messageStart = at < end ? at + 1 : end;
}

function endsWord(bytes: Uint8Array, at: number, end: number): boolean {
  return at >= end || bytes[at] === SPACE;
}

/** A number up to 2^31 - 1; what is none is 0. */
export function parsePid(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] as number) - 0x30;
    if (digit < 0 || digit > 9) return 0;
    value = value * 10 + digit;
    if (value > 0x7fffffff) return 0;
  }
  return value;
}

function skipSpaces(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] === SPACE) at++;
  return at;
}
