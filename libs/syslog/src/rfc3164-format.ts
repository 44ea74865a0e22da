import { newlineFramed } from './framed-format.ts';
import type { RecordFormat } from './sink.ts';
import { writeLocalTime } from './timestamp.ts';
import {
  hostnameBytes,
  TAG_OVERHEAD,
  textWriter,
  writeHostname,
  writePriority,
  writeTagged,
} from './writing.ts';

const SPACE = 0x20;
const TIME = 15;

export interface LineFormatOptions {
  /** The text is written byte for byte. By default it is scrubbed (`scrubTo`). */
  readonly raw?: boolean;
}

export interface Rfc3164FormatOptions extends LineFormatOptions {
  /**
   * The name of the host in records that do not say it themselves. Without this option none has one: so it is expected on `/dev/log`, but not from
   * the network.
   */
  readonly hostname?: string;
}

/** `<PRI>Mmm dd hh:mm:ss [HOSTNAME ]TAG[PID]: TEXT` (RFC 3164) in local time. It is a datagram: on a stream it needs framing. */
export function rfc3164Format(options: Rfc3164FormatOptions = {}): RecordFormat {
  const write = textWriter(options.raw);
  const hostname = options.hostname === undefined ? undefined : hostnameBytes(options.hostname);
  return {
    overhead: 5 + TIME + 1 + (hostname?.length ?? 0) + 1 + TAG_OVERHEAD + 14,
    write(record, out, at) {
      let to = writePriority(out, at, record.facility, record.severity);
      to = writeLocalTime(out, to, record.seconds);
      out[to++] = SPACE;
      if (hostname) {
        to = writeHostname(record, hostname, out, to);
        out[to++] = SPACE;
      }
      return writeTagged(record, out, to, write);
    },
  };
}

/** `Mmm dd hh:mm:ss HOSTNAME TAG[PID]: TEXT` and a newline: a line of /var/log/syslog. */
export function logFileFormat(options: LineFormatOptions & { readonly hostname: string }): RecordFormat {
  const write = textWriter(options.raw);
  const hostname = hostnameBytes(options.hostname);
  return newlineFramed({
    overhead: TIME + 1 + hostname.length + 1 + TAG_OVERHEAD + 14,
    write(record, out, at) {
      let to = writeLocalTime(out, at, record.seconds);
      out[to++] = SPACE;
      to = writeHostname(record, hostname, out, to);
      out[to++] = SPACE;
      return writeTagged(record, out, to, write);
    },
  });
}
