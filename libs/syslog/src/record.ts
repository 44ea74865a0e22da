import { Facility, Severity } from './priority.ts';

/** What a program gives to make a record of its own. */
export interface RecordFields {
  readonly message: string;
  /** `Severity.notice` unless given. */
  readonly severity?: number;
  /** `Facility.user` unless given. */
  readonly facility?: number;
  readonly hostname?: string;
  /** The name of the program. */
  readonly tag?: string;
  readonly pid?: number;
  /** Now unless given. */
  readonly time?: Date;
}

const NOTHING = new Uint8Array(0);
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * A parsed message: numbers, and places in the bytes that were received. Nothing of it is a string before someone asks.
 *
 * A parser fills the same record for one message after the other, and a reader the same `bytes`. So a record that is handed out is good
 * until the function that it was given to returns; {@link LogRecord.keep} makes one that lasts.
 *
 * A part `x` stands in `bytes` from `xStart` to before `xEnd`; both are the same where the message has no such part. All of them are bytes as
 * they were received: unscrubbed, perhaps not UTF-8.
 */
export class LogRecord {
  /** What holds the message, and usually others. */
  bytes: Uint8Array = NOTHING;
  /** Where the message begins in `bytes`. */
  start = 0;
  /** Where it ends, without a newline or NUL that closed it. */
  end = 0;

  source: 'syslog' | 'kernel' = 'syslog';
  /** One of `Facility`, or another number up to 127. Without a priority in the message `user`. */
  facility: number = Facility.user;
  /** One of `Severity`. Without a priority in the message `notice`. */
  severity: number = Severity.notice;
  /** The message says its priority. */
  hasPriority = false;

  // NaN lets V8 keep these as doubles in place: a number that changes its representation would be allocated anew.
  /** Seconds since 1970. */
  seconds: number = Number.NaN;
  nanoseconds = 0;
  /** The time is what the message says; else it is when it was received. */
  hasTime = false;

  hostnameStart = 0;
  hostnameEnd = 0;
  /** TAG of RFC 3164, APP-NAME of RFC 5424. */
  tagStart = 0;
  tagEnd = 0;
  /** What stands in brackets behind a tag, PROCID of RFC 5424: not always a number. */
  processIdStart = 0;
  processIdEnd = 0;
  /** MSGID of RFC 5424. */
  messageIdStart = 0;
  messageIdEnd = 0;
  /** STRUCTURED-DATA of RFC 5424; of a record of the kernel its dictionary. */
  dataStart = 0;
  dataEnd = 0;
  /**
   * Of RFC 3164 what is behind the time, its leading space included, or behind the priority when there is no time. Else as
   * `messageStart`. It goes up to `messageEnd`.
   */
  contentStart = 0;
  messageStart = 0;
  messageEnd = 0;

  /** The process: what the kernel says of the sender, else what the message says, else 0. */
  pid = 0;
  /** Who sent it, by the kernel's word (unix(7) `SCM_CREDENTIALS`); -1: not known. A process of a foreign pid namespace is 0. */
  senderPid = -1;
  senderUid = -1;
  senderGid = -1;

  /** The message was longer than what it was read into: its end is missing. */
  isTruncated = false;
  /** The message says a pid that is not its sender's; `pid` is the sender's. */
  isCorrected = false;
  /** A record of the kernel that is part of a line (flag `c` of /dev/kmsg). */
  isFragment = false;
  /** The number of a record of the kernel, else -1. */
  sequence: number = Number.NaN;
  /** Microseconds since boot of a record of the kernel, else NaN. */
  monotonic: number = Number.NaN;

  /** Makes it a message of which nothing is known but where it is, and when it came. */
  reset(bytes: Uint8Array, start: number, end: number, seconds: number, nanoseconds: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.source = 'syslog';
    this.facility = Facility.user;
    this.severity = Severity.notice;
    this.hasPriority = false;
    this.seconds = seconds;
    this.nanoseconds = nanoseconds;
    this.hasTime = false;
    this.hostnameStart = this.hostnameEnd = start;
    this.tagStart = this.tagEnd = start;
    this.processIdStart = this.processIdEnd = start;
    this.messageIdStart = this.messageIdEnd = start;
    this.dataStart = this.dataEnd = start;
    this.contentStart = start;
    this.messageStart = start;
    this.messageEnd = end;
    this.pid = 0;
    this.senderPid = -1;
    this.senderUid = -1;
    this.senderGid = -1;
    this.isTruncated = false;
    this.isCorrected = false;
    this.isFragment = false;
    this.sequence = Number.NaN;
    this.monotonic = Number.NaN;
  }

  get time(): Date {
    return new Date(this.seconds * 1000 + Math.floor(this.nanoseconds / 1e6));
  }

  get hostname(): string {
    return this.text(this.hostnameStart, this.hostnameEnd);
  }

  get tag(): string {
    return this.text(this.tagStart, this.tagEnd);
  }

  get processId(): string {
    return this.text(this.processIdStart, this.processIdEnd);
  }

  get messageId(): string {
    return this.text(this.messageIdStart, this.messageIdEnd);
  }

  /** As it stands in the message, or '' for none. */
  get data(): string {
    return this.text(this.dataStart, this.dataEnd);
  }

  get content(): string {
    return this.text(this.contentStart, this.messageEnd);
  }

  get message(): string {
    return this.text(this.messageStart, this.messageEnd);
  }

  /** A view of the message's text. */
  get messageBytes(): Uint8Array {
    return this.bytes.subarray(this.messageStart, this.messageEnd);
  }

  /** Part of `bytes`, decoded; what is not UTF-8 becomes U+FFFD. */
  text(start: number, end: number): string {
    return start === end ? '' : decoder.decode(this.bytes.subarray(start, end));
  }

  /** A copy that lasts, with bytes of its own. */
  keep(): LogRecord {
    const kept: LogRecord = Object.assign(new LogRecord(), this);
    // Not slice: that of a Buffer copies nothing.
    kept.bytes = new Uint8Array(this.bytes.subarray(this.start, this.end));
    kept.#move(-this.start);
    return kept;
  }

  #move(by: number): void {
    this.start += by;
    this.end += by;
    this.hostnameStart += by;
    this.hostnameEnd += by;
    this.tagStart += by;
    this.tagEnd += by;
    this.processIdStart += by;
    this.processIdEnd += by;
    this.messageIdStart += by;
    this.messageIdEnd += by;
    this.dataStart += by;
    this.dataEnd += by;
    this.contentStart += by;
    this.messageStart += by;
    this.messageEnd += by;
  }

  /** A record that a program makes itself. */
  static from(fields: RecordFields): LogRecord {
    const { message, hostname = '', tag = '', time = new Date(), pid = 0 } = fields;
    const parts = [hostname, tag, message].map((text) => encoder.encode(text));
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    const ends: number[] = [];
    for (const part of parts) {
      const at = ends.at(-1) ?? 0;
      bytes.set(part, at);
      ends.push(at + part.length);
    }
    const [hostnameEnd = 0, tagEnd = 0] = ends;
    const record = new LogRecord();
    const milliseconds = time.getTime();
    const seconds = Math.floor(milliseconds / 1000);
    record.reset(bytes, 0, bytes.length, seconds, (milliseconds - seconds * 1000) * 1e6);
    record.hostnameEnd = hostnameEnd;
    record.tagStart = hostnameEnd;
    record.tagEnd = tagEnd;
    record.contentStart = record.messageStart = tagEnd;
    record.facility = fields.facility ?? Facility.user;
    record.severity = fields.severity ?? Severity.notice;
    record.hasPriority = true;
    record.hasTime = true;
    record.pid = pid;
    return record;
  }
}
