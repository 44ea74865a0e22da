/** Where a time is put that was parsed. */
export class ParsedTime {
  /** Seconds since 1970. NaN lets V8 keep it as a double in place. */
  seconds: number = Number.NaN;
  nanoseconds = 0;
}

const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec';
const months = new Map(
  Array.from({ length: 12 }, (_, month) => {
    const [a = 0, b = 0, c = 0] = Buffer.from(MONTHS.slice(3 * month, 3 * month + 3));
    return [(a << 16) | (b << 8) | c, month] as const;
  }),
);
const names = Buffer.from(MONTHS);
const SPACE = 0x20;
const ZERO = 0x30;

/**
 * Parses `Mmm dd hh:mm:ss` (RFC 3164 section 4.1.2), local time of the year that makes it closest to `now`. The day may have one digit or two,
 * behind a space or a zero.
 *
 * @param now seconds since 1970
 * @returns the end of the time, -1: there is none
 */
export function parseLocalTime(
  bytes: Uint8Array,
  start: number,
  end: number,
  now: number,
  out: ParsedTime,
): number {
  if (end - start < 14) return -1;
  const month = months.get(
    ((bytes[start] as number) << 16) | ((bytes[start + 1] as number) << 8) | (bytes[start + 2] as number),
  );
  if (month === undefined || bytes[start + 3] !== SPACE) return -1;
  let at = start + 4;
  if (bytes[at] === SPACE) at++;
  let day = digit(bytes, at++);
  const second = digit(bytes, at);
  if (second >= 0) {
    day = day * 10 + second;
    at++;
  }
  if (bytes[at++] !== SPACE || end - at < 8) return -1;
  const clock = parseClock(bytes, at);
  if (clock < 0 || day < 1) return -1;
  const base = startOfMinute(month, day, Math.floor(clock / 60), now);
  if (Number.isNaN(base)) return -1;
  out.seconds = base + (clock % 60);
  out.nanoseconds = 0;
  return at + 8;
}

// Time zones are asked once a minute, not once a message.
let cachedMinute = -1;
let cachedNow: number = Number.NaN;
let cachedBase: number = Number.NaN;

function startOfMinute(month: number, day: number, minute: number, now: number): number {
  const key = (month * 32 + day) * 1440 + minute;
  if (key === cachedMinute && Math.abs(now - cachedNow) < 60) return cachedBase;
  const today = new Date(now * 1000);
  const ahead = month - today.getMonth();
  const year = today.getFullYear() + (ahead > 6 ? -1 : ahead < -6 ? 1 : 0);
  const date = new Date(year, month, day, 0, minute);
  cachedBase = new Date(year, month, day).getDate() === day ? date.getTime() / 1000 : Number.NaN;
  cachedMinute = key;
  cachedNow = now;
  return cachedBase;
}

/**
 * Parses `YYYY-MM-DDThh:mm:ss[.fraction](Z|+hh:mm|-hh:mm)` (RFC 5424 section 6.2.3); a space may stand for T, and the colon of the zone be
 * missing.
 * @returns the end of the time, -1: there is none
 */
export function parseIsoTime(bytes: Uint8Array, start: number, end: number, out: ParsedTime): number {
  if (end - start < 20) return -1;
  const year = pair(bytes, start) * 100 + pair(bytes, start + 2);
  const month = pair(bytes, start + 5);
  const day = pair(bytes, start + 8);
  const separator = bytes[start + 10];
  if (bytes[start + 4] !== 0x2d || bytes[start + 7] !== 0x2d || (separator !== 0x54 && separator !== SPACE))
    return -1;
  const clock = parseClock(bytes, start + 11);
  if (pair(bytes, start) < 0 || pair(bytes, start + 2) < 0 || clock < 0) return -1;
  if (month < 1 || month > 12 || day < 1 || day > daysOf(year, month)) return -1;
  let at = start + 19;
  let nanoseconds = 0;
  if (bytes[at] === 0x2e) {
    let unit = 1e8;
    const first = ++at;
    for (; at < end && digit(bytes, at) >= 0; at++) {
      nanoseconds += digit(bytes, at) * Math.floor(unit);
      unit /= 10;
    }
    if (at === first) return -1;
  }
  const zoneEnd = endOfZone(bytes, at, end);
  if (zoneEnd < 0) return -1;
  out.seconds = daysSince1970(year, month, day) * 86_400 + clock - zoneOffset(bytes, at, zoneEnd);
  out.nanoseconds = nanoseconds;
  return zoneEnd;
}

function endOfZone(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  if (bytes[at] === 0x5a) return at + 1;
  if (bytes[at] !== 0x2b && bytes[at] !== 0x2d) return -1;
  const minutes = bytes[at + 3] === 0x3a ? at + 4 : at + 3;
  if (minutes + 2 > end) return -1;
  const hour = pair(bytes, at + 1);
  const minute = pair(bytes, minutes);
  return hour < 0 || hour > 23 || minute < 0 || minute > 59 ? -1 : minutes + 2;
}

function zoneOffset(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] === 0x5a) return 0;
  const seconds = pair(bytes, at + 1) * 3600 + pair(bytes, end - 2) * 60;
  return bytes[at] === 0x2d ? -seconds : seconds;
}

/** `hh:mm:ss` as seconds; a leap second too. -1: it is none. */
function parseClock(bytes: Uint8Array, at: number): number {
  if (bytes[at + 2] !== 0x3a || bytes[at + 5] !== 0x3a) return -1;
  const hour = pair(bytes, at);
  const minute = pair(bytes, at + 3);
  const second = pair(bytes, at + 6);
  if (hour < 0 || minute < 0 || second < 0 || hour > 23 || minute > 59 || second > 60) return -1;
  return hour * 3600 + minute * 60 + Math.min(second, 59);
}

function digit(bytes: Uint8Array, at: number): number {
  const value = (bytes[at] ?? 0) - ZERO;
  return value >= 0 && value <= 9 ? value : -1;
}

/** Two digits as a number, negative: they are none. */
function pair(bytes: Uint8Array, at: number): number {
  const tens = digit(bytes, at);
  const ones = digit(bytes, at + 1);
  return tens < 0 || ones < 0 ? -10_000 : tens * 10 + ones;
}

function daysOf(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Of the Gregorian calendar, counted in years that begin in March. */
function daysSince1970(year: number, month: number, day: number): number {
  const y = month > 2 ? year : year - 1;
  const ofYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  return y * 365 + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + ofYear - 719_468;
}

// Of a time that is written, all but the seconds is kept: it is the same for a minute.
let localMinute: number = Number.NaN;
const local = new Uint8Array(15);
let utcMinute: number = Number.NaN;
const utc = new Uint8Array(27);

/**
 * Writes `Mmm dd hh:mm:ss` of local time, as RFC 3164 wants it.
 * @param seconds since 1970
 * @returns the end of the 15 bytes
 */
export function writeLocalTime(out: Uint8Array, at: number, seconds: number): number {
  const minute = Math.floor(seconds / 60);
  if (minute !== localMinute) {
    const date = new Date(minute * 60_000);
    const month = date.getMonth();
    for (let i = 0; i < 3; i++) local[i] = names[3 * month + i] as number;
    writeText(
      local,
      3,
      ` ${String(date.getDate()).padStart(2)} ${two(date.getHours())}:${two(date.getMinutes())}:`,
    );
    localMinute = minute;
  }
  writeDigits(local, 13, seconds - minute * 60, 2);
  for (let i = 0; i < 15; i++) out[at + i] = local[i] as number;
  return at + 15;
}

/** Of the years that four digits can tell. */
const FIRST = -62_167_219_200;
const LAST = 253_402_300_799;

/**
 * Writes `YYYY-MM-DDThh:mm:ss.ffffffZ` (RFC 5424 section 6.2.3).
 * @param seconds since 1970, whole ones
 * @returns the end of the 27 bytes; `at` for a time that cannot be written so
 */
export function writeUtcTime(out: Uint8Array, at: number, seconds: number, nanoseconds: number): number {
  if (!(seconds >= FIRST && seconds <= LAST)) return at;
  const minute = Math.floor(seconds / 60);
  if (minute !== utcMinute) {
    writeText(utc, 0, new Date(minute * 60_000).toISOString());
    utc[19] = 0x2e;
    utc[26] = 0x5a;
    utcMinute = minute;
  }
  writeDigits(utc, 17, seconds - minute * 60, 2);
  writeDigits(utc, 20, Math.floor(nanoseconds / 1000), 6);
  for (let i = 0; i < 27; i++) out[at + i] = utc[i] as number;
  return at + 27;
}

function writeText(out: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) out[at + i] = text.charCodeAt(i);
}

function writeDigits(out: Uint8Array, at: number, number: number, digits: number): void {
  let rest = number;
  for (let i = digits - 1; i >= 0; i--) {
    out[at + i] = ZERO + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
