import type { RecordFormat } from './sink.ts';
import { digitsOf, writeNumber } from './writing.ts';

const SPACE = 0x20;
const NEWLINE = 0x0a;

/** Octet counting (RFC 6587 section 3.4.1, RFC 5425 section 4.3): `LENGTH SP` in front of each record. Any bytes may be in it. */
export function octetCounted(format: RecordFormat): RecordFormat {
  // Most messages of a stream have lengths of as many digits.
  let prefix = 4;
  return {
    // A length has up to ten digits.
    overhead: format.overhead + 11,
    write(record, out, at) {
      const length = format.write(record, out, at + prefix) - at - prefix;
      const needed = digitsOf(length) + 1;
      if (needed !== prefix) {
        out.copyWithin(at + needed, at + prefix, at + prefix + length);
        prefix = needed;
      }
      out[writeNumber(out, at, length)] = SPACE;
      return at + needed + length;
    },
  };
}

/**
 * A newline behind each record (RFC 6587 section 3.4.2), and in none: one in a raw text becomes a space, so that nobody writes a line in the name
 * of another.
 */
export function newlineFramed(format: RecordFormat): RecordFormat {
  return {
    overhead: format.overhead + 1,
    write(record, out, at) {
      const end = format.write(record, out, at);
      // It keeps the search from looking at all of the buffer, too.
      out[end] = NEWLINE;
      for (let i = out.indexOf(NEWLINE, at); i >= 0 && i < end; i = out.indexOf(NEWLINE, i + 1))
        out[i] = SPACE;
      return end + 1;
    },
  };
}
