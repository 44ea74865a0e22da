import { fromBinary } from '@bufbuild/protobuf';
import { LogRecord, parseKmsg, parseRfc3164, type RecordFormat } from '@vm-tools/syslog';
import { LogRequestSchema } from '@vm-tools/vm-rpc/vm-host';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { logRequestFormat } from './log-request-format.ts';

/** What the format makes of records, in no more room than it asks for. */
function decoded(...records: LogRecord[]) {
  const format: RecordFormat = logRequestFormat;
  const parts = records.map((record) => {
    const out = Buffer.alloc(format.overhead + 4 * (record.end - record.start) + 8, 0xee);
    const end = format.write(record, out, 3);
    expect(end).toBeLessThanOrEqual(out.length - 5);
    expect(out.subarray(end).every((byte) => byte === 0xee)).toBe(true);
    return out.subarray(3, end);
  });
  return fromBinary(LogRequestSchema, Buffer.concat(parts)).records.map(
    ({ severity, timestamp, content }) => ({
      severity,
      seconds: timestamp?.seconds,
      nanos: timestamp?.nanos,
      content: Buffer.from(content).toString('latin1'),
    }),
  );
}

function received(text: string | Buffer, seconds = 1_795_000_000, nanoseconds = 0): LogRecord {
  const bytes = Buffer.from(text);
  const record = new LogRecord();
  record.reset(bytes, 0, bytes.length, seconds, nanoseconds);
  return record;
}

test('a message of a program is what stands behind its time, its space included', () => {
  const record = received('<11>Nov 23 09:42:03 backup[123]: cannot read \x1b\xff');
  parseRfc3164(record);
  expect(decoded(record)).toEqual([
    {
      severity: 4,
      seconds: BigInt(record.seconds),
      nanos: 0,
      content: Buffer.from(' backup[123]: cannot read \x1b\xff').toString('latin1'),
    },
  ]);
});

test('a pid that is not its sender’s is replaced, and a cut is marked', () => {
  const record = received('<13>Nov 23 09:42:03 sudo[1]: let me in');
  parseRfc3164(record);
  record.pid = 4711;
  record.isCorrected = true;
  record.isTruncated = true;
  expect(decoded(record)[0]?.content).toBe(' sudo[4711]: let me in [truncated]');
});

test('a line of one’s own has its tag', () => {
  const record = LogRecord.from({
    message: '3 messages are lost',
    tag: 'vm_syslog',
    severity: 4,
    time: new Date(1000),
  });
  expect(decoded(record)).toEqual([
    { severity: 5, seconds: 1n, nanos: 0, content: ' vm_syslog: 3 messages are lost' },
  ]);
});

test('a message of the kernel says when it was', () => {
  const record = received(
    '6,812,12345678,-;virtio_net: link is up\n SUBSYSTEM=virtio\n',
    1_795_000_000,
    5000,
  );
  parseKmsg(record);
  expect(decoded(record)).toEqual([
    {
      severity: 7,
      seconds: 1_795_000_000n,
      nanos: 5000,
      content: 'kernel: [   12.345678] virtio_net: link is up',
    },
  ]);
});

test('any bytes and times arrive as they are', () => {
  const record = fc
    .tuple(
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
      fc.integer({ min: 0, max: 2 ** 42 }),
      fc.integer({ min: 0, max: 999_999_999 }),
      fc.integer({ min: 0, max: 7 }),
    )
    .map(([bytes, seconds, nanoseconds, severity]) => {
      const made = received(Buffer.from(bytes), seconds, nanoseconds);
      made.severity = severity;
      return made;
    });
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 5 }), (records) => {
      expect(decoded(...records)).toEqual(
        records.map(({ bytes, seconds, nanoseconds, severity }) => ({
          severity: severity + 1,
          seconds: BigInt(seconds),
          nanos: nanoseconds,
          content: Buffer.from(bytes).toString('latin1'),
        })),
      );
    }),
  );
});
