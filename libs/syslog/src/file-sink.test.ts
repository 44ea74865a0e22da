import { mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test, vi } from 'vitest';
import { FileSink, type FileSinkOptions } from './file-sink.ts';
import { LogRecord } from './record.ts';
import { RotatingFile, type RotatingFileOptions } from './rotating-file.ts';
import type { RecordFormat } from './sink.ts';

const PATIENT = { timeout: 90_000, interval: 5 };
let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-file-sink-'));
  path = join(folder, 'a.log');
  return () => rmSync(folder, { recursive: true });
});

/** A line for each record. */
const format: RecordFormat = {
  overhead: 1,
  write(record, out, at) {
    out.set(record.messageBytes, at);
    const end = at + record.messageBytes.length;
    out[end] = 0x0a;
    return end + 1;
  },
};

const record = (message: string) => LogRecord.from({ message });
const written = () => readFileSync(path, 'utf8');

function sinkOf(options: Partial<FileSinkOptions> = {}, fileOptions: RotatingFileOptions = {}): FileSink {
  return new FileSink(new RotatingFile(path, fileOptions), { format, retryMs: 1, ...options });
}

/** Makes the file one that cannot be written, until what it returns is called. */
function obstruct(sink: FileSink): () => void {
  renameSync(path, `${path}.away`);
  symlinkSync('elsewhere', path);
  expect(() => sink.file.reopen()).toThrow('ELOOP');
  return () => renameSync(`${path}.away`, path);
}

test('records that come together are written together, in their order', async () => {
  await using sink = sinkOf();
  const append = vi.spyOn(sink.file, 'append');
  const reused = record('one');
  expect(sink.write(reused)).toBe(true);
  reused.bytes.fill(0x21);
  sink.write(record('two'));
  expect(sink.writeBytes(Buffer.from('..three\nfour\n'), 2, 13, 2)).toBe(true);
  expect(written()).toBe('');
  await vi.waitUntil(() => sink.counters.written === 4, PATIENT);
  expect(written()).toBe('one\ntwo\nthree\nfour\n');
  expect(append).toHaveBeenCalledTimes(1);
  expect(sink.counters).toEqual({ taken: 4, written: 4, bytes: 19, lost: 0 });
});

test('a record waits for others as long as it may, and not beyond flush or close', async () => {
  const sink = sinkOf({ flushMs: 1_000_000 });
  sink.write(record('one'));
  await sink.flush();
  expect(written()).toBe('one\n');
  sink.write(record('two'));
  await sink.close();
  expect(written()).toBe('one\ntwo\n');
  expect(() => sink.write(record('three'))).toThrow('closed');
  await using timed = sinkOf({ flushMs: 1 });
  timed.write(record('three'));
  await vi.waitUntil(() => written().endsWith('three\n'), PATIENT);
});

test('what is more than a buffer is written as it comes', async () => {
  await using sink = sinkOf({ bufferBytes: 100, flushMs: 1_000_000 });
  const lines = Array.from({ length: 50 }, (_, each) => `${each} ${'x'.repeat(each)}`);
  for (const line of lines) expect(sink.write(record(line))).toBe(true);
  expect(sink.write(record('y'.repeat(1000)))).toBe(true);
  expect(sink.writeBytes(Buffer.alloc(1000, 'z\n'), 0, 1000, 500)).toBe(true);
  await sink.flush();
  expect(written()).toBe(`${lines.join('\n')}\n${'y'.repeat(1000)}\n${'z\n'.repeat(500)}`);
  expect(sink.counters).toMatchObject({ taken: 551, written: 551 });
});

test('a file that cannot be written stops the sink, which goes on when it can', async () => {
  await using sink = sinkOf({ bufferBytes: 100 });
  const told: string[] = [];
  sink.on('failing', (error) => told.push((error as NodeJS.ErrnoException).code ?? '?'));
  sink.on('recovered', () => told.push('recovered'));
  const restore = obstruct(sink);
  const lines = Array.from({ length: 50 }, (_, each) => `line ${each}`);
  const taken = lines.filter((line) => sink.write(record(line)));
  expect(taken.length).toBeGreaterThan(0);
  expect(taken).toEqual(lines.slice(0, taken.length));
  expect(sink.writeBytes(Buffer.alloc(100), 0, 100, 1)).toBe(false);
  const room = sink.ready();
  await vi.waitUntil(() => told.length > 0, PATIENT);
  restore();
  await room;
  expect(told).toEqual(['ELOOP', 'recovered']);
  for (const line of lines.slice(taken.length)) {
    expect(sink.write(record(line))).toBe(true);
    await sink.ready();
  }
  await sink.flush();
  expect(written()).toBe(`${lines.join('\n')}\n`);
  expect(sink.counters).toMatchObject({ taken: 50, written: 50, lost: 0 });
});

test('what cannot be written at the end is lost, and counted', async () => {
  const sink = sinkOf();
  const lost = vi.fn();
  sink.on('lost', lost);
  obstruct(sink);
  sink.write(record('one'));
  sink.write(record('two'));
  const flushed = sink.flush();
  await sink.close();
  await flushed;
  await sink.close();
  expect(lost).toHaveBeenCalledExactlyOnceWith(2, `${path} could not be written before the end`);
  expect(sink.counters).toEqual({ taken: 2, written: 0, bytes: 0, lost: 2 });
});

test('lines stay whole where files are rotated', async () => {
  await using sink = sinkOf({ bufferBytes: 64 }, { maxBytes: 100, kept: 100 });
  const lines = Array.from({ length: 100 }, (_, each) => `line ${each}`);
  for (const line of lines) sink.write(record(line));
  await sink.flush();
  const files = [...Array(100).keys()].map((index) => (index === 0 ? path : `${path}.${index}`));
  const texts = files.flatMap((file) => {
    try {
      return [readFileSync(file, 'utf8')];
    } catch {
      return [];
    }
  });
  expect(texts.length).toBeGreaterThan(4);
  expect(texts.reverse().join('')).toBe(`${lines.join('\n')}\n`);
  for (const text of texts) expect(text).toMatch(/^line .*\n$/s);
});
