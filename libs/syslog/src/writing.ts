import { copyTo } from './copy.ts';
import { Facility } from './priority.ts';
import type { LogRecord } from './record.ts';
import { scrubTo } from './scrub.ts';

const ZERO = 0x30;
const SPACE = 0x20;
const encoder = new TextEncoder();
const KERNEL = encoder.encode('kernel');
/** What the name of the kernel may add to a record that has no tag. */
export const TAG_OVERHEAD = KERNEL.length;

/** How many decimal digits a whole number has that is not negative. */
export function digitsOf(number: number): number {
  let digits = 1;
  for (let power = 10; number >= power; power *= 10) digits++;
  return digits;
}

/** Writes such a number. */
export function writeNumber(out: Uint8Array, at: number, number: number): number {
  const digits = digitsOf(number);
  let rest = number;
  for (let to = at + digits - 1; to >= at; to--) {
    out[to] = ZERO + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  return at + digits;
}

/** `<PRI>`. A facility that syslog.h does not know is written as `user`: receivers refuse more than 191. */
export function writePriority(out: Uint8Array, at: number, facility: number, severity: number): number {
  out[at] = 0x3c;
  const known = facility <= Facility.local7 ? facility : Facility.user;
  const end = writeNumber(out, at + 1, (known << 3) | severity);
  out[end] = 0x3e;
  return end + 1;
}

/**
 * A word of a header: printable ASCII without spaces (PRINTUSASCII of RFC 5424), at most `most` bytes; `_` stands for whatever else there is.
 */
export function writeWord(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
  most: number,
): number {
  const last = Math.min(end, start + most);
  let to = at;
  for (let from = start; from < last; from++) {
    const byte = bytes[from] as number;
    out[to++] = byte > SPACE && byte < 0x7f ? byte : 0x5f;
  }
  return to;
}

/** Text for the inside of a line: scrubbed, or byte for byte. */
export type TextWriter = typeof scrubTo;

export function textWriter(raw: boolean | undefined): TextWriter {
  return raw ? copyTo : scrubTo;
}

/**
 * The word in brackets behind a tag, without them: what the message says, but the sender's pid when the message says another; the pid of a record
 * that a program made itself.
 */
export function writeProcessId(record: LogRecord, out: Uint8Array, at: number, write: TextWriter): number {
  const { processIdStart: start, processIdEnd: end, pid } = record;
  if (end > start && !record.isCorrected) return write(record.bytes, start, end, out, at);
  return pid > 0 && (end > start || record.senderPid < 0) ? writeNumber(out, at, pid) : at;
}

const HOSTNAME_LENGTH = 255;

/** The host that the record names, else the one that is given. */
export function writeHostname(record: LogRecord, hostname: Uint8Array, out: Uint8Array, at: number): number {
  const { bytes, hostnameStart: start, hostnameEnd: end } = record;
  if (end > start) return writeWord(bytes, start, end, out, at, HOSTNAME_LENGTH);
  return copyTo(hostname, 0, hostname.length, out, at);
}

/** The name of the program; `kernel` for what the kernel says. */
export function writeTag(record: LogRecord, out: Uint8Array, at: number, write: TextWriter): number {
  const { tagStart: start, tagEnd: end } = record;
  if (end === start && record.source === 'kernel') return copyTo(KERNEL, 0, KERNEL.length, out, at);
  return write(record.bytes, start, end, out, at);
}

/** `TAG[PID]: TEXT`, of a message without a tag the text alone. */
export function writeTagged(record: LogRecord, out: Uint8Array, at: number, write: TextWriter): number {
  let to = writeTag(record, out, at, write);
  if (to > at) {
    const behind = writeProcessId(record, out, to + 1, write);
    if (behind > to + 1) {
      out[to] = 0x5b;
      out[behind] = 0x5d;
      to = behind + 1;
    }
    out[to++] = 0x3a;
    out[to++] = SPACE;
  }
  return write(record.bytes, record.messageStart, record.messageEnd, out, to);
}

/** The name of a host as a format writes it into a header. */
export function hostnameBytes(name: string): Uint8Array {
  const bytes = encoder.encode(name);
  const word = new Uint8Array(Math.min(bytes.length, HOSTNAME_LENGTH));
  writeWord(bytes, 0, bytes.length, word, 0, HOSTNAME_LENGTH);
  return word;
}
