import { fstatSync } from 'node:fs';
import { writeText } from './output.ts';

// An own writer because of what the start of a daemon costs, medians of 61 on Node 24: an empty program 24.7 ms, with one
// line logged by pino 10 40.5 ms, by this one 26.5 ms. A daemon logs a few lines per connection, not per request.

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type LogFormat = 'text' | 'json';

/** What a line says besides its message. An `Error` is shown by its message and code, in JSON with stack and cause. */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** A log whose every line has these fields too. */
  with(fields: LogFields): Log;
}

export interface LogOptions {
  readonly program: string;
  /** Default text. */
  readonly format?: LogFormat;
  /** Default info. */
  readonly level?: LogLevel;
  /** Where lines go; by default to standard error. Returns false when it could not be written. */
  readonly write?: (line: string) => boolean;
  readonly now?: () => Date;
  /** Whether the lines go to the journal, which has time and program of its own. Default: as JOURNAL_STREAM says. */
  readonly journal?: boolean;
}

/** By severity, with the priority of syslog(3) that the journal knows it by. */
const LEVELS: Readonly<Record<LogLevel, number>> = { error: 3, warn: 4, info: 6, debug: 7 };

/** One line per event; nothing that is logged can begin another line. */
export function createLog(options: LogOptions): Log {
  const { program, format = 'text', level = 'info', now = () => new Date() } = options;
  const { journal = isJournal(2), write = (line: string) => writeText(2, line) } = options;
  let lost = 0;

  const emit = (severity: LogLevel, message: string, fields: LogFields): void => {
    if (LEVELS[severity] > LEVELS[level]) return;
    const all = lost > 0 ? { ...fields, lostLines: lost } : fields;
    const line =
      format === 'json'
        ? jsonLine({ time: now().toISOString(), level: severity, program, pid: process.pid, message, ...all })
        : `${journal ? `<${LEVELS[severity]}>` : `${now().toISOString()} ${program} ${severity}: `}${textOf(message, all)}`;
    lost = write(`${line}\n`) ? 0 : lost + 1;
  };
  const logWith = (own: LogFields): Log => ({
    error: (message, fields) => emit('error', message, { ...own, ...fields }),
    warn: (message, fields) => emit('warn', message, { ...own, ...fields }),
    info: (message, fields) => emit('info', message, { ...own, ...fields }),
    debug: (message, fields) => emit('debug', message, { ...own, ...fields }),
    with: (fields) => logWith({ ...own, ...fields }),
  });
  return logWith({});
}

/** systemd.exec(5): the device and inode of the journal's stream, which may have been redirected since. */
function isJournal(fd: number): boolean {
  const stream = process.env['JOURNAL_STREAM'];
  if (!stream) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

function textOf(message: string, fields: LogFields): string {
  const words = Object.entries(fields).flatMap(([name, value]) =>
    isRecord(value)
      ? Object.entries(value).map(([key, member]) => textWord(`${name}.${key}`, member))
      : textWord(name, value),
  );
  return escapeControls(message + words.join(''));
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function textWord(name: string, value: unknown): string {
  return value === undefined ? '' : ` ${name}=${textValue(value)}`;
}

function textValue(value: unknown): string {
  if (value instanceof Error) {
    const { code } = value as NodeJS.ErrnoException;
    return JSON.stringify(
      code && !value.message.includes(code) ? `${value.message} (${code})` : value.message,
    );
  }
  const text = typeof value === 'object' ? jsonOf(value) : String(value);
  return /^[^\s"=\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/u.test(text) ? text : JSON.stringify(text);
}

/** Line ends, escape sequences of terminals, letters that turn the direction of the line. */
function escapeControls(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (letter) => `\\u${(letter.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}

function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value, jsonValue);
  } catch (error) {
    // A cycle, or a toJSON that throws.
    return JSON.stringify({ unloggable: String(error) });
  }
}

/** Field by field, so that one that cannot be written costs none of the others. */
function jsonLine(fields: LogFields): string {
  const members = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${JSON.stringify(name)}:${jsonOf(value)}`);
  return `{${members.join(',')}}`;
}

function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause, ...more } = value as Error & Record<string, unknown>;
  return { name, message, ...more, stack, ...(cause === undefined ? {} : { cause }) };
}
