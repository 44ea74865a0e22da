import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  journalExportFormat,
  journalNativeFormat,
  LogRecord,
  parseKmsg,
  parseRfc3164,
  parseRfc5424,
  type RecordFormat,
} from '../src/index.ts';

const remote = ['/usr/lib/systemd/systemd-journal-remote', '/lib/systemd/systemd-journal-remote'].find(
  (path) => existsSync(path),
);
const NOW = Math.floor(Date.UTC(2026, 10, 3, 9, 8, 7) / 1000);

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-journal-'));
  return () => rmSync(folder, { recursive: true });
});

function received(message: string | Uint8Array, parse: (record: LogRecord) => unknown): LogRecord {
  const bytes = Buffer.from(message as string);
  const record = new LogRecord();
  record.reset(bytes, 0, bytes.length, NOW, 123_456_789);
  parse(record);
  return record;
}

function written(format: RecordFormat, record: LogRecord): Buffer {
  const room = format.overhead + 4 * (record.end - record.start);
  const out = Buffer.alloc(room + 8, '~');
  const end = format.write(record, out, 0);
  expect(end).toBeLessThanOrEqual(room);
  expect(out.toString('latin1', room)).toBe('~'.repeat(8));
  return out.subarray(0, end);
}

/** What `systemd-journal-remote` made of entries, by `journalctl`. A value that is no text is a list of bytes. */
function journal(entries: Uint8Array): Record<string, string | number[] | null>[] {
  if (!remote)
    throw new Error(
      'systemd-journal-remote is needed as a judge. Remedy: apt-get install systemd-journal-remote',
    );
  const file = join(folder, 'judge.journal');
  execFileSync(remote, ['--output', file, '-'], { input: entries, stdio: ['pipe', 'ignore', 'pipe'] });
  return execFileSync('journalctl', ['--file', file, '--output=json', '--all', '--quiet'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('systemd-journal-remote reads', () => {
  const format = journalExportFormat({ hostname: 'host', fields: { VM_NAME: 'penguin', NOTE: 'a\nb' } });

  test('messages of programs, with who sent them', () => {
    const first = received('<27>Nov  3 09:08:07 prog[7]: hello, w\u00f6rld', parseRfc3164);
    Object.assign(first, { senderPid: 77, senderUid: 1000, senderGid: 0, pid: 77, isCorrected: true });
    const second = received('<165>1 2026-11-03T10:00:00.25Z its app x-1 ID47 [a@1 b="c"] text', parseRfc5424);
    const [one, two, ...more] = journal(Buffer.concat([written(format, first), written(format, second)]));
    expect(more).toEqual([]);
    expect(one).toMatchObject({
      MESSAGE: 'hello, w\u00f6rld',
      PRIORITY: '3',
      SYSLOG_FACILITY: '3',
      SYSLOG_IDENTIFIER: 'prog',
      SYSLOG_PID: '7',
      _PID: '77',
      _UID: '1000',
      _GID: '0',
      _HOSTNAME: 'host',
      _TRANSPORT: 'syslog',
      VM_NAME: 'penguin',
      NOTE: 'a\nb',
      __REALTIME_TIMESTAMP: `${first.seconds}000000`,
    });
    expect(two).toMatchObject({
      MESSAGE: 'text',
      SYSLOG_PID: 'x-1',
      SYSLOG_MSGID: 'ID47',
      SYSLOG_STRUCTURED_DATA: '[a@1 b="c"]',
      _HOSTNAME: 'its',
      __REALTIME_TIMESTAMP: `${Date.UTC(2026, 10, 3, 10) / 1000}250000`,
    });
    expect(two).not.toHaveProperty('_PID');
  });

  test('records of the kernel, with their dictionary', () => {
    const record = received(
      '6,7,1500000,-;usb 1-1: \\x41\n SUBSYSTEM=usb\n A=x\\x0ay\n B=\n odd\n x=y\n',
      (it) => parseKmsg(it, NOW * 1e6),
    );
    expect(journal(written(format, record))).toMatchObject([
      {
        MESSAGE: 'usb 1-1: \\x41',
        PRIORITY: '6',
        SYSLOG_FACILITY: '0',
        SYSLOG_IDENTIFIER: 'kernel',
        _TRANSPORT: 'kernel',
        _KERNEL_SUBSYSTEM: 'usb',
        _KERNEL_A: 'x\ny',
        _SOURCE_MONOTONIC_TIMESTAMP: '1500000',
        __REALTIME_TIMESTAMP: `${NOW + 1}500000`,
      },
    ]);
  });

  test('any bytes in a message, as they are', () => {
    const messages = [
      Buffer.from('two\nlines\n and PRIORITY=0'),
      Buffer.from([0, 1, 2, 0xff, 0xfe, 0x80, 0x0a, 0x0a, 0x41]),
      Buffer.from([0x61, 0xff]),
      Buffer.from('x'.repeat(70_000)),
      Buffer.from(`${'y'.repeat(70_000)}\n.`),
      Buffer.from('\n'),
    ];
    const entries = messages.map((message) =>
      written(
        format,
        received(message, () => undefined),
      ),
    );
    const read = journal(Buffer.concat(entries)).map(({ MESSAGE }) => Buffer.from(MESSAGE as string));
    expect(read).toEqual(messages);
  });

  test('what is for journald, when it is told the time', () => {
    const native = journalNativeFormat({ fields: { VM_NAME: 'penguin' } });
    const record = received('<27>Nov  3 09:08:07 prog[7]: a\tb', parseRfc3164);
    record.senderPid = 9;
    const datagram = written(native, record);
    const [entry] = journal(
      Buffer.concat([Buffer.from('__REALTIME_TIMESTAMP=1000000\n'), datagram, Buffer.from('\n')]),
    );
    expect(entry).toMatchObject({
      MESSAGE: 'a\tb',
      PRIORITY: '3',
      SYSLOG_TIMESTAMP: 'Nov  3 09:08:07',
      VM_NAME: 'penguin',
    });
    // journald knows it itself, and drops what a sender claims.
    expect(datagram.toString('latin1')).not.toMatch(/^_/m);
  });
});

test.each(['', 'a', '1A', 'A-B', 'A'.repeat(65)])('%j is no name of a field', (name) => {
  expect(() => journalNativeFormat({ fields: { [name]: '' } })).toThrow(RangeError);
});
