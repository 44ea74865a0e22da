import type { LogRecord, RecordFormat } from '@vm-tools/syslog';

// Fields of vm_tools.LogRequest and vm_tools.LogRecord (vm_host.proto), each with its wire type: 0 is a varint, 2 is bytes.
const RECORDS = (1 << 3) | 2;
const SEVERITY = (1 << 3) | 0;
const TIMESTAMP = (2 << 3) | 2;
const SECONDS = (1 << 3) | 0;
const NANOS = (2 << 3) | 0;
const CONTENT = (5 << 3) | 2;

/** What stands around a text: tags, numbers and lengths (36 bytes at most), a time of the kernel, a pid, the note that it was cut. */
const OVERHEAD = 128;
const TRUNCATED = Buffer.from(' [truncated]');
const NOTHING = Buffer.alloc(0);
const SPACE = Buffer.from(' ');
const COLON = Buffer.from(': ');

/**
 * Writes records as the field `records` of a LogRequest: one behind the other they are one, whose other fields are still missing. The text is all
 * that is behind the time, as it was sent; what the kernel said has `kernel: [SECONDS]` in front of it.
 */
export const logRequestFormat: RecordFormat = {
  overhead: OVERHEAD,
  write(record, out, at) {
    const { bytes, contentStart, messageEnd } = record;
    const prefix = record.source === 'kernel' ? kernelPrefix(record) : ownPrefix(record);
    const suffix = record.isTruncated ? TRUNCATED : NOTHING;
    // A pid that is not its sender's is replaced.
    const hasWrongPid = record.isCorrected && record.processIdEnd > record.processIdStart;
    const pid = hasWrongPid ? Buffer.from(`${record.pid}`) : NOTHING;
    const pidStart = hasWrongPid ? record.processIdStart : messageEnd;
    const pidEnd = hasWrongPid ? record.processIdEnd : messageEnd;
    const before = pidStart - contentStart;
    const behind = messageEnd - pidEnd;
    const content = prefix.length + before + pid.length + behind + suffix.length;

    const seconds = Math.max(0, record.seconds);
    const nanos = record.nanoseconds;
    const time = 1 + varintLength(seconds) + (nanos > 0 ? 1 + varintLength(nanos) : 0);
    const length = 2 + 2 + time + 1 + varintLength(content) + content;

    let to = writeVarint(out, writeByte(out, at, RECORDS), length);
    to = writeByte(out, writeByte(out, to, SEVERITY), record.severity + 1);
    to = writeByte(out, writeByte(out, to, TIMESTAMP), time);
    to = writeVarint(out, writeByte(out, to, SECONDS), seconds);
    if (nanos > 0) to = writeVarint(out, writeByte(out, to, NANOS), nanos);
    to = writeVarint(out, writeByte(out, to, CONTENT), content);
    to = copy(prefix, 0, prefix.length, out, to);
    to = copy(bytes, contentStart, pidStart, out, to);
    to = copy(pid, 0, pid.length, out, to);
    to = copy(bytes, pidEnd, messageEnd, out, to);
    return copy(suffix, 0, suffix.length, out, to);
  },
};

/** As dmesg shows it. */
function kernelPrefix({ monotonic }: LogRecord): Buffer {
  if (Number.isNaN(monotonic)) return Buffer.from('kernel: ');
  const seconds = `${Math.floor(monotonic / 1e6)}`.padStart(5);
  const micros = `${Math.floor(monotonic % 1e6)}`.padStart(6, '0');
  return Buffer.from(`kernel: [${seconds}.${micros}] `);
}

/** In a record that a program has made itself the tag stands apart from the text. There is room: it is among the record's bytes. */
function ownPrefix({ bytes, tagStart, tagEnd, contentStart }: LogRecord): Buffer {
  if (tagStart === tagEnd || tagEnd > contentStart) return NOTHING;
  return Buffer.concat([SPACE, bytes.subarray(tagStart, tagEnd), COLON]);
}

function varintLength(value: number): number {
  let length = 1;
  for (let left = value; left >= 0x80; left = Math.floor(left / 0x80)) length++;
  return length;
}

function writeVarint(out: Uint8Array, at: number, value: number): number {
  let to = at;
  let left = value;
  // No shifts: seconds will have more than 31 bits.
  for (; left >= 0x80; left = Math.floor(left / 0x80)) out[to++] = (left % 0x80) | 0x80;
  out[to++] = left;
  return to;
}

function writeByte(out: Uint8Array, at: number, byte: number): number {
  out[at] = byte;
  return at + 1;
}

function copy(bytes: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  out.set(bytes.subarray(start, end), at);
  return at + end - start;
}
