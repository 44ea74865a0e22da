import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { LogRecord, parseKmsg, parseRfc3164, parseRfc5424 } from '../src/index.ts';
import { OtlpSink, type OtlpSinkOptions } from '../src/otlp/index.ts';
import { rejectedBy, waitOf } from '../src/otlp/otlp-exporter.ts';
import { otlpFormat } from '../src/otlp/otlp-format.ts';
import { message } from '../src/otlp/protobuf.ts';
import { decodeRequest, OtlpReceiver } from './otlp-receiver.ts';

const PATIENT = { timeout: 90_000, interval: 5 };
const tls = (name: string) => readFileSync(new URL(`data/tls/${name}`, import.meta.url));
const NOW = Date.UTC(2026, 10, 3, 9, 8, 7) / 1000;

function received(
  text: string | Uint8Array,
  parse: (record: LogRecord) => unknown = parseRfc3164,
): LogRecord {
  const bytes = Buffer.from(text as string);
  const record = new LogRecord();
  record.reset(bytes, 0, bytes.length, NOW, 123_456_789);
  parse(record);
  return record;
}

const made = (text: string): LogRecord => LogRecord.from({ message: text });

function sinkTo(receiver: OtlpReceiver, options: Partial<OtlpSinkOptions> = {}): OtlpSink {
  return new OtlpSink({ url: receiver.url, retry: { minMs: 1, maxMs: 1 }, ...options });
}

const attributesOf = ({ attributes }: { attributes: { key: string; value: object }[] }) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value]));

test('records arrive as logs of OpenTelemetry, in one request', async () => {
  await using receiver = await OtlpReceiver.start();
  await using sink = sinkTo(receiver, {
    resource: { 'host.name': 'här' },
    headers: { authorization: 'Bearer x' },
  });
  const records = [
    received('<27>prog[7]: hello\tw\u00f6rld'),
    received('<165>1 2026-11-03T10:00:00.25Z its app x-1 ID47 [a@1 b="c"] \u{1f600}', parseRfc5424),
    received('4,7,1500000,-;usb 1-1: new\n SUBSYSTEM=usb\n', (record) => parseKmsg(record, NOW * 1e6)),
    made(''),
  ];
  for (const record of records) expect(sink.write(record)).toBe(true);
  await sink.flush();

  expect(receiver.requests).toHaveLength(1);
  const [{ headers, path, body } = expect.fail()] = receiver.requests;
  expect(path).toBe('/v1/logs');
  expect(headers).toMatchObject({ 'content-type': 'application/x-protobuf', authorization: 'Bearer x' });
  expect(body.resourceLogs).toHaveLength(1);
  expect(body.resourceLogs[0]?.resource.attributes).toEqual([
    { key: 'host.name', value: { stringValue: 'här' } },
  ]);
  expect(body.resourceLogs[0]?.scopeLogs).toMatchObject([{ scope: { name: '@vm-tools/syslog' } }]);

  const [first, second, third, fourth] = receiver.records;
  expect(first).toMatchObject({ severityNumber: 'SEVERITY_NUMBER_ERROR', severityText: 'err' });
  expect(first).toMatchObject({
    timeUnixNano: `${NOW}123456789`,
    body: { stringValue: 'hello#011w\u00f6rld' },
  });
  expect(attributesOf(first as never)).toEqual({
    'service.name': { stringValue: 'prog' },
    'syslog.facility': { intValue: '3' },
    'process.pid': { intValue: '7' },
    'syslog.procid': { stringValue: '7' },
  });
  expect(second).toMatchObject({
    timeUnixNano: `${Date.UTC(2026, 10, 3, 10) / 1000}250000000`,
    severityNumber: 'SEVERITY_NUMBER_INFO2',
    body: { stringValue: '\u{1f600}' },
  });
  expect(attributesOf(second as never)).toEqual({
    'service.name': { stringValue: 'app' },
    'host.name': { stringValue: 'its' },
    'syslog.facility': { intValue: '20' },
    'syslog.procid': { stringValue: 'x-1' },
    'syslog.msgid': { stringValue: 'ID47' },
    'syslog.structured_data': { stringValue: '[a@1 b="c"]' },
  });
  expect(third).toMatchObject({
    severityNumber: 'SEVERITY_NUMBER_WARN',
    body: { stringValue: 'usb 1-1: new' },
  });
  expect(attributesOf(third as never)).toMatchObject({ 'service.name': { stringValue: 'kernel' } });
  expect(fourth).toMatchObject({ severityText: 'notice', body: { stringValue: '' } });
  expect(sink.counters).toMatchObject({ taken: 4, written: 4, lost: 0, rejected: 0, batches: 1 });
});

test.each([
  [0, 'FATAL', 'emerg'],
  [1, 'ERROR3', 'alert'],
  [2, 'ERROR2', 'crit'],
  [3, 'ERROR', 'err'],
  [4, 'WARN', 'warning'],
  [5, 'INFO2', 'notice'],
  [6, 'INFO', 'info'],
  [7, 'DEBUG', 'debug'],
])('severity %i is %s', async (severity, name, text) => {
  await using receiver = await OtlpReceiver.start();
  await using sink = sinkTo(receiver);
  sink.write(LogRecord.from({ message: 'x', severity }));
  await sink.flush();
  expect(receiver.records).toMatchObject([{ severityNumber: `SEVERITY_NUMBER_${name}`, severityText: text }]);
});

test('what is no text is sent as bytes when nothing is to be changed', async () => {
  await using receiver = await OtlpReceiver.start();
  await using sink = sinkTo(receiver, { raw: true });
  const odd = Buffer.from([0x61, 0xff, 0, 0x0a]);
  sink.write(received(Buffer.concat([odd, Buffer.from('.')]), () => undefined));
  sink.write(made('a\tb\0'));
  await sink.flush();
  expect(receiver.records).toMatchObject([
    { body: { bytesValue: Buffer.concat([odd, Buffer.from('.')]).toString('base64') } },
    { body: { stringValue: 'a\tb\0' } },
  ]);
});

test('a batch may be compressed', async () => {
  await using receiver = await OtlpReceiver.start();
  await using sink = sinkTo(receiver, { gzip: true });
  sink.write(made('x'.repeat(60_000)));
  await sink.flush();
  const [{ headers } = expect.fail()] = receiver.requests;
  expect(headers['content-encoding']).toBe('gzip');
  expect(Number(headers['content-length'])).toBeLessThan(5000);
  expect(receiver.records).toMatchObject([{ body: { stringValue: 'x'.repeat(60_000) } }]);
});

test('TLS is spoken with whom the authority vouches for, and with nobody else', async () => {
  await using receiver = await OtlpReceiver.start({ cert: tls('server.pem'), key: tls('server.key') });
  await using sink = sinkTo(receiver, { tls: { ca: tls('authority.pem') } });
  sink.write(made('secret'));
  await sink.flush();
  expect(receiver.records).toMatchObject([{ body: { stringValue: 'secret' } }]);

  await using stranger = sinkTo(receiver, { closeMs: 0 });
  const failing = new Promise((resolve) => stranger.once('failing', resolve));
  stranger.write(made('secret'));
  void stranger.flush();
  expect(await failing).toMatchObject({ code: 'ERR_OTLP', message: expect.stringMatching(/certificate/) });
  expect(receiver.requests).toHaveLength(1);
});

test.each([429, 502, 503, 504])('after %i the same batch is sent again', async (status) => {
  await using receiver = await OtlpReceiver.start();
  receiver.answers.push({ status }, { status, headers: { 'retry-after': '0' } });
  await using sink = sinkTo(receiver);
  const events: string[] = [];
  sink.on('failing', (error) => events.push((error as Error).message));
  sink.on('recovered', () => events.push('recovered'));
  sink.write(made('a'));
  await sink.flush();
  expect(receiver.requests).toHaveLength(3);
  expect(receiver.requests[2]?.body).toEqual(receiver.requests[0]?.body);
  expect(sink.counters).toMatchObject({ written: 1, lost: 0, failures: 2 });
  expect(events).toEqual([`${receiver.url} answered ${status}`, 'recovered']);
});

test('a receiver that wants to be left alone is', async () => {
  await using receiver = await OtlpReceiver.start();
  receiver.answers.push({ status: 429, headers: { 'retry-after': '3600' } });
  const sink = sinkTo(receiver, { closeMs: 300 });
  sink.write(made('a'));
  void sink.flush();
  await vi.waitUntil(() => sink.counters.failures === 1, PATIENT);
  await sink.close();
  expect(receiver.requests).toHaveLength(1);
  expect(sink.counters).toMatchObject({ written: 0, lost: 1 });
});

test('how long a receiver wants to be left alone', () => {
  const now = Date.UTC(2026, 0, 1);
  expect(waitOf(undefined, now)).toBe(0);
  expect(waitOf('7', now)).toBe(7000);
  expect(waitOf(new Date(now + 5000).toUTCString(), now)).toBe(5000);
  expect(waitOf(new Date(now - 5000).toUTCString(), now)).toBe(0);
  expect(waitOf('99999999999', now)).toBe(3_600_000);
  for (const odd of ['', '-1', 'soon', '1e3x']) expect(waitOf(odd, now)).toBe(0);
});

test('a batch that will never be taken is lost, and said to be', async () => {
  await using receiver = await OtlpReceiver.start();
  receiver.answers.push({ status: 400 });
  await using sink = sinkTo(receiver);
  const lost: unknown[] = [];
  sink.on('lost', (...about) => lost.push(about));
  sink.write(made('a'));
  sink.write(made('b'));
  await sink.flush();
  expect(lost).toEqual([[2, `were refused by the receiver: ${receiver.url} answered 400`]]);
  expect(sink.counters).toMatchObject({ taken: 3, written: 1, lost: 2 });
  expect(receiver.records.at(-1)).toMatchObject({
    body: { stringValue: expect.stringMatching(/^2 messages/) },
  });
});

test('a receiver that refuses everything is not told of it for ever', async () => {
  await using receiver = await OtlpReceiver.start();
  receiver.answers.push(...Array.from({ length: 50 }, () => ({ status: 403 })));
  await using sink = sinkTo(receiver);
  sink.write(made('a'));
  await sink.flush();
  expect(receiver.requests).toHaveLength(2);
  expect(sink.counters).toMatchObject({ taken: 2, written: 0, lost: 2 });
});

test('records that a receiver drops from a batch it takes are counted', async () => {
  await using receiver = await OtlpReceiver.start();
  receiver.answers.push(
    { status: 200, partialSuccess: { rejectedLogRecords: 1, errorMessage: 'too old' } },
    { status: 200, partialSuccess: { rejectedLogRecords: 0, errorMessage: 'just a warning' } },
    { status: 200, partialSuccess: { rejectedLogRecords: 1_000_000, errorMessage: 'a lie' } },
  );
  await using sink = sinkTo(receiver);
  const lost: unknown[] = [];
  sink.on('lost', (...about) => lost.push(about));
  for (const texts of [['a', 'b', 'c'], ['d'], ['e']]) {
    for (const text of texts) sink.write(made(text));
    await sink.flush();
  }
  expect(sink.counters).toMatchObject({ taken: 5, written: 3, lost: 2, rejected: 2 });
  expect(lost).toEqual([
    [1, 'were rejected by the receiver: too old'],
    [1, 'were rejected by the receiver: a lie'],
  ]);
});

test('a receiver that is away gets all when it is there', async () => {
  await using receiver = await OtlpReceiver.start();
  receiver.isAway = true;
  await using sink = sinkTo(receiver);
  const failing = new Promise((resolve) => sink.once('failing', resolve));
  sink.write(made('a'));
  const flushed = sink.flush();
  expect(await failing).toMatchObject({
    code: 'ERR_OTLP',
    message: expect.stringContaining('does not answer'),
  });
  sink.write(made('b'));
  await vi.waitUntil(() => sink.counters.failures > 2, PATIENT);
  expect(sink.counters).toMatchObject({ written: 0, lost: 0 });
  receiver.isAway = false;
  await flushed;
  expect(receiver.records.map(({ body }) => body.stringValue)).toEqual(['a', 'b']);
});

test('an answer that does not end is none, and the password of a URL is not told', async () => {
  await using receiver = await OtlpReceiver.start();
  receiver.answers.push({ status: 200, hangs: true });
  const url = receiver.url.replace('//', '//user:password@');
  await using sink = sinkTo(receiver, { url, timeoutMs: 1000 });
  const failing = new Promise((resolve) => sink.once('failing', resolve));
  sink.write(made('a'));
  await sink.flush();
  const { message: told } = (await failing) as Error;
  expect(told).toBe(`${receiver.url} does not answer within 1000 ms`);
  expect(told).not.toContain('password');
  expect(receiver.requests[0]?.headers.authorization).toMatch(/^Basic /);
  expect(receiver.records.at(-1)).toMatchObject({ body: { stringValue: 'a' } });
  expect(sink.counters).toMatchObject({ written: 1, lost: 0 });
});

test.each(['', 'localhost:4318', 'ftp://localhost/'])('%j is no receiver', (url) => {
  expect(() => new OtlpSink({ url })).toThrow(TypeError);
});

test('any bytes become a message that the published protos read, in the room that is promised', () => {
  const text = fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.string({ unit: 'binary', maxLength: 40 }));
  fc.assert(
    fc.property(
      fc.constantFrom(parseRfc3164, parseRfc5424, parseKmsg),
      text,
      fc.boolean(),
      (parse, bytes, raw) => {
        const record = received(bytes as string, parse);
        const format = otlpFormat({ raw });
        const room = format.overhead + 4 * (record.end - record.start);
        const out = Buffer.alloc(room + 8, '~');
        const end = format.write(record, out, 0);
        expect(end).toBeLessThanOrEqual(room);
        const { resourceLogs } = decodeRequest(message(0x0a, message(0x12, out.subarray(0, end))));
        expect(resourceLogs[0]?.scopeLogs[0]?.logRecords).toHaveLength(1);
      },
    ),
    { numRuns: 2000 },
  );
});

test('any bytes are an answer', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const { records } = rejectedBy(bytes);
      expect(records).toBeGreaterThanOrEqual(0);
    }),
    { numRuns: 20_000 },
  );
});
