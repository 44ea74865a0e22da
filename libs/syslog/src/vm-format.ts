import { copyTo } from './copy.ts';
import { newlineFramed } from './framed-format.ts';
import { Facility } from './priority.ts';
import type { LineFormatOptions } from './rfc3164-format.ts';
import type { RecordFormat } from './sink.ts';
import { writeLocalTime } from './timestamp.ts';
import { textWriter, writePriority } from './writing.ts';

const SPACE = 0x20;
const encoder = new TextEncoder();
/** A time, a priority of two digits, and up to three spaces. */
const FRAME = 15 + 4 + 3;

export interface VmFormatOptions extends LineFormatOptions {
  /** What stands in front of the text: `VM(3)`. */
  readonly name: string;
}

// The VM's own facility is not told: it is no part of the host. What remains of a priority is its severity, as a message of a user's program.

/** A line of a VM's log file: `Mmm dd hh:mm:ss <PRI>  NAME: TEXT` and a newline. TEXT is all that the VM sent behind its time. */
export function vmFileFormat(options: VmFormatOptions): RecordFormat {
  const write = textWriter(options.raw);
  const name = encoder.encode(`  ${options.name}: `);
  return newlineFramed({
    overhead: FRAME + name.length,
    write(record, out, at) {
      let to = writeLocalTime(out, at, record.seconds);
      out[to++] = SPACE;
      to = writePriority(out, to, Facility.user, record.severity);
      to = copyTo(name, 0, name.length, out, to);
      return write(record.bytes, record.contentStart, record.messageEnd, out, to);
    },
  });
}

/** A message to the host's own syslog: `<PRI>Mmm dd hh:mm:ss NAME: TEXT`, a datagram of `/dev/log`. */
export function vmSocketFormat(options: VmFormatOptions): RecordFormat {
  const write = textWriter(options.raw);
  const name = encoder.encode(` ${options.name}: `);
  return {
    overhead: FRAME + name.length,
    write(record, out, at) {
      let to = writePriority(out, at, Facility.user, record.severity);
      to = writeLocalTime(out, to, record.seconds);
      to = copyTo(name, 0, name.length, out, to);
      return write(record.bytes, record.contentStart, record.messageEnd, out, to);
    },
  };
}
