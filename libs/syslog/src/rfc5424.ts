import type { LogRecord } from './record.ts';
import { parsePid, parsePriority, parseRfc3164, withoutTrailer } from './rfc3164.ts';
import { ParsedTime, parseIsoTime } from './timestamp.ts';

const SPACE = 0x20;
const NIL = 0x2d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const EQUALS = 0x3d;
const time = new ParsedTime();

/**
 * Parses a message of RFC 5424: `<PRI>1 TIME HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA TEXT`. A field that is `-` is empty; a mark that the
 * text is UTF-8 (BOM) is no part of it. Nothing throws: where the bytes are no such message, all behind the priority is text.
 *
 * @param record made ready by `reset`, with the time when the message came
 * @returns whether it is one
 */
export function parseRfc5424(record: LogRecord): boolean {
  const { bytes, start } = record;
  const end = withoutTrailer(bytes, start, record.end);
  record.end = record.messageEnd = end;
  const version = parsePriority(record);
  record.contentStart = record.messageStart = version;
  if (!record.hasPriority || bytes[version] !== 0x31 || bytes[version + 1] !== SPACE) return false;

  const timeEnd = endOfTime(bytes, version + 2, end);
  const hostnameEnd = endOfWord(bytes, timeEnd, end);
  const tagEnd = endOfWord(bytes, hostnameEnd, end);
  const processIdEnd = endOfWord(bytes, tagEnd, end);
  const messageIdEnd = endOfWord(bytes, processIdEnd, end);
  const dataEnd = endOfData(bytes, messageIdEnd, end);
  if (dataEnd < 0) return false;

  if (bytes[version + 2] !== NIL) {
    record.seconds = time.seconds;
    record.nanoseconds = time.nanoseconds;
    record.hasTime = true;
  }
  record.hostnameStart = startOfWord(bytes, timeEnd + 1, hostnameEnd);
  record.hostnameEnd = hostnameEnd;
  record.tagStart = startOfWord(bytes, hostnameEnd + 1, tagEnd);
  record.tagEnd = tagEnd;
  record.processIdStart = startOfWord(bytes, tagEnd + 1, processIdEnd);
  record.processIdEnd = processIdEnd;
  record.pid = parsePid(bytes, record.processIdStart, processIdEnd);
  record.messageIdStart = startOfWord(bytes, processIdEnd + 1, messageIdEnd);
  record.messageIdEnd = messageIdEnd;
  record.dataStart = startOfWord(bytes, messageIdEnd + 1, dataEnd);
  record.dataEnd = dataEnd;
  record.contentStart = record.messageStart = startOfText(bytes, dataEnd, end);
  return true;
}

/** @returns -1: what is there is neither a time nor `-` */
function endOfTime(bytes: Uint8Array, start: number, end: number): number {
  if (bytes[start] === NIL && start + 1 < end && bytes[start + 1] === SPACE) return start + 1;
  return parseIsoTime(bytes, start, end, time);
}

/**
 * The end of the word that follows.
 * @param behind where the word before it ended, -1: there was none
 * @returns -1: there is no word with a space on both sides
 */
function endOfWord(bytes: Uint8Array, behind: number, end: number): number {
  if (behind < 0 || behind >= end || bytes[behind] !== SPACE) return -1;
  let at = behind + 1;
  while (at < end && (bytes[at] as number) > SPACE) at++;
  return at > behind + 1 && at < end && bytes[at] === SPACE ? at : -1;
}

/** `-` is a word of no bytes. */
function startOfWord(bytes: Uint8Array, start: number, end: number): number {
  return end === start + 1 && bytes[start] === NIL ? end : start;
}

/** The end of STRUCTURED-DATA, with a space or nothing behind it; -1: it is none. */
function endOfData(bytes: Uint8Array, behind: number, end: number): number {
  if (behind < 0) return -1;
  let at = behind + 1;
  if (bytes[at] === NIL) at++;
  else if (at === end || bytes[at] !== OPEN) return -1;
  else while (at >= 0 && at < end && bytes[at] === OPEN) at = endOfElement(bytes, at, end);
  return at === end || (at > 0 && at < end && bytes[at] === SPACE) ? at : -1;
}

/** Behind the bracket that closes an element; -1: it is none. */
function endOfElement(bytes: Uint8Array, start: number, end: number): number {
  let at = endOfName(bytes, start + 1, end);
  while (at >= 0 && at < end && bytes[at] === SPACE) {
    const equals = endOfName(bytes, at + 1, end);
    if (equals < 0 || bytes[equals] !== EQUALS || bytes[equals + 1] !== QUOTE) return -1;
    at = endOfValue(bytes, equals + 2, end) + 1;
    if (at === 0) return -1;
  }
  return at >= 0 && at < end && bytes[at] === CLOSE ? at + 1 : -1;
}

function endOfName(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte <= SPACE || byte === EQUALS || byte === CLOSE || byte === QUOTE || byte >= 0x7f) break;
  }
  return at > start && at < end ? at : -1;
}

/** Where the quotation mark is that closes a value; -1: nowhere. */
function endOfValue(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    if (bytes[at] === QUOTE) return at;
    if (bytes[at] === BACKSLASH && isEscaped(bytes[at + 1])) at++;
  }
  return -1;
}

/** Before any other byte, a backslash is one (section 6.3.3). */
function isEscaped(byte: number | undefined): boolean {
  return byte === QUOTE || byte === BACKSLASH || byte === CLOSE;
}

function startOfText(bytes: Uint8Array, dataEnd: number, end: number): number {
  if (dataEnd === end) return end;
  const at = dataEnd + 1;
  return end - at >= 3 && bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf
    ? at + 3
    : at;
}

/** An element of structured data. */
export interface StructuredElement {
  /** Its SD-ID. */
  readonly id: string;
  /** Names and values in their order; a name may stand there more than once. */
  readonly parameters: readonly (readonly [name: string, value: string])[];
}

/** The structured data of a record that {@link parseRfc5424} has parsed, without the backslashes in values. */
export function structuredDataOf(record: LogRecord): StructuredElement[] {
  const { bytes, dataEnd } = record;
  const elements: StructuredElement[] = [];
  if (record.source !== 'syslog') return elements;
  let at = record.dataStart;
  while (at < dataEnd) {
    const idEnd = endOfName(bytes, at + 1, dataEnd);
    const id = record.text(at + 1, idEnd);
    const parameters: [string, string][] = [];
    for (at = idEnd; bytes[at] === SPACE; ) {
      const equals = endOfName(bytes, at + 1, dataEnd);
      const valueEnd = endOfValue(bytes, equals + 2, dataEnd);
      const value = record.text(equals + 2, valueEnd).replace(/\\(["\\\]])/g, '$1');
      parameters.push([record.text(at + 1, equals), value]);
      at = valueEnd + 1;
    }
    elements.push({ id, parameters });
    at++;
  }
  return elements;
}

/**
 * Parses a message as receivers do who take it from anybody: by RFC 5424 if it is one of those, else by RFC 3164, which has room for any bytes.
 *
 * @param record made ready by `reset`, with the time when the message came
 * @param hasHostname messages of RFC 3164 name their host, as they do in the network and do not on `/dev/log`
 */
export function parseSyslog(record: LogRecord, hasHostname = false): void {
  if (!parseRfc5424(record)) parseRfc3164(record, hasHostname);
}
