import { beginsAsDump, type Compression, decompressDump } from './compression/decompress.ts';
import type { Problem } from './pstore-error.ts';
import type { Zone } from './zone.ts';

/** When a dump was made, by the clock of the machine. */
export interface RecordTime {
  readonly seconds: bigint;
  readonly nanoseconds: number;
}

/** A dump of the kernel's log: what was in it when it oopsed, panicked or was shut down. */
export interface DmesgRecord {
  readonly zone: Zone;
  /** That of its zone, which is what the kernel names its file by. */
  readonly index: number;
  /** Undefined when it says 0, as the kernel does before it knows the time. */
  readonly time: RecordTime | undefined;
  /** What it was stored as; `unknown` when nothing decompresses it, and it is given as it is. */
  readonly compression: Compression | 'none' | 'unknown';
  /** All of it: its first line, which says why it was made, and the log. */
  readonly data: Uint8Array;
  /** Why it was made: `Panic`, `Oops`, `Emergency`, `Shutdown`, `Unknown`; undefined when its first line is lost. */
  readonly reason: string | undefined;
  /** The how-manieth dump of its boot it is, from 1. */
  readonly count: number | undefined;
  /** ramoops stores part 1 alone, the newest. */
  readonly part: number | undefined;
  /** The log, without the first line. */
  readonly log: Uint8Array;
  /** What is behind the header in the zone, as the kernel takes it. */
  readonly stored: Uint8Array;
  /** What is wrong with it, beyond what is with its zone. */
  readonly problems: readonly Problem[];
}

export interface DmesgOptions {
  /** What the kernel was told to compress with; default: found out. */
  readonly compression?: Compression;
}

const PREFIX = '====';
/** Digits beyond those of a 64-bit number say nothing more. */
const MAX_HEADER = 128;
const HYPHEN = 0x2d;
const DOT = 0x2e;
const NEWLINE = 0x0a;

/** Reads the dump in a zone that is used; undefined with a problem when the kernel would throw it away. */
export function readDmesg(zone: Zone, options: DmesgOptions): DmesgRecord | Problem {
  const header = readRecordHeader(zone.data);
  if (!header) {
    return {
      code: 'no-record-header',
      offset: zone.offset,
      message: `dmesg zone ${zone.index}: no ====SECONDS.MICROSECONDS at its beginning; the kernel throws it away`,
    };
  }
  const stored = zone.data.subarray(header.length);
  const problems: Problem[] = [];
  let data = stored;
  let compression: DmesgRecord['compression'] = 'none';
  if (header.isCompressed) {
    const unpack = (bytes: Uint8Array) => decompressDump(bytes, zone.capacity, options.compression);
    let unpacked = unpack(stored);
    if (!unpacked && header.newline < header.length) {
      unpacked = unpack(zone.data.subarray(header.newline));
      if (unpacked) {
        const message = `dmesg zone ${zone.index}: the kernel takes the first bytes of the stream for white space of its header`;
        problems.push({ code: 'misread-by-kernel', offset: zone.offset, message });
      }
    }
    data = unpacked?.data ?? stored;
    compression = unpacked?.compression ?? 'unknown';
    if (!unpacked) {
      const message = `dmesg zone ${zone.index}: nothing decompresses its ${stored.length} bytes`;
      problems.push({ code: 'not-decompressed', offset: zone.offset, message });
    }
  } else if (stored.length === 0) {
    const message = `dmesg zone ${zone.index}: a header and nothing else; the kernel shows nothing from here on`;
    problems.push({ code: 'empty-record', offset: zone.offset, message });
  }
  const { seconds, nanoseconds } = header;
  const time = seconds === 0n ? undefined : { seconds, nanoseconds };
  return { zone, index: zone.index, time, compression, data, ...readHead(data), stored, problems };
}

/** The first line of a dump, `Panic#1 Part1` (pstore_dump() in fs/pstore/platform.c). */
export function readHead(data: Uint8Array): Pick<DmesgRecord, 'reason' | 'count' | 'part' | 'log'> {
  if (!beginsAsDump(data)) return { reason: undefined, count: undefined, part: undefined, log: data };
  const end = data.indexOf(NEWLINE);
  const line = String.fromCharCode(...data.subarray(0, end));
  const [, reason, count, part] = /^(\w+)#(\d+) Part(\d+)$/.exec(line) ?? [];
  return { reason, count: Number(count), part: Number(part), log: data.subarray(end + 1) };
}

interface RecordHeader extends RecordTime {
  readonly isCompressed: boolean;
  /** Bytes, with the white space behind it. */
  readonly length: number;
  /** The same with a newline and nothing more. */
  readonly newline: number;
}

/**
 * `====1795400032.020000-C\n` as the kernel's sscanf() reads it (ramoops_read_kmsg_hdr()): white space may stand before numbers,
 * and any amount of it, or none, in place of the newline.
 */
export function readRecordHeader(data: Uint8Array): RecordHeader | undefined {
  const text = new Scanner(data);
  if (!text.literal(PREFIX)) return undefined;
  const seconds = text.number({ mayBeNegative: true });
  if (seconds === undefined || !text.byte(DOT)) return undefined;
  const microseconds = text.number({ mayBeNegative: false });
  if (microseconds === undefined) return undefined;
  const beforeType = text.at;
  let isCompressed = false;
  if (text.byte(HYPHEN) && text.at < data.length && data[text.at] !== 0) {
    isCompressed = data[text.at++] === 0x43;
  } else {
    // Written by a kernel that could not compress (before 3.12).
    text.at = beforeType;
  }
  const newline = text.at + (data[text.at] === NEWLINE ? 1 : 0);
  text.spaces();
  return {
    seconds: BigInt.asIntN(64, seconds),
    nanoseconds: Number(BigInt.asIntN(64, microseconds * 1000n)),
    isCompressed,
    length: text.at,
    newline,
  };
}

class Scanner {
  at = 0;
  readonly #data: Uint8Array;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  literal(text: string): boolean {
    return [...text].every((letter) => this.byte(letter.charCodeAt(0)));
  }

  byte(wanted: number): boolean {
    if (this.#data[this.at] !== wanted) return false;
    this.at++;
    return true;
  }

  number({ mayBeNegative }: { mayBeNegative: boolean }): bigint | undefined {
    this.spaces();
    const isNegative = mayBeNegative && this.#data[this.at] === HYPHEN;
    const start = this.at + (isNegative ? 1 : 0);
    let end = start;
    while (isDigit(this.#data[end])) end++;
    if (end === start) return undefined;
    this.at = end;
    const digits = String.fromCharCode(...this.#data.subarray(Math.max(start, end - MAX_HEADER), end));
    return isNegative ? -BigInt(digits) : BigInt(digits);
  }

  spaces(): void {
    while (isSpace(this.#data[this.at])) this.at++;
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/** lib/ctype.c, which counts the no-break space of Latin-1. */
function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0xa0 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);
}
