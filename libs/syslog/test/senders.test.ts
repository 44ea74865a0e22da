import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DebianPrograms } from '@vm-tools/guest';
import { describe, expect, test, vi } from 'vitest';
import { DevLogServer, type LogRecord, structuredDataOf } from '../src/index.ts';
import { KeptRecords } from './kept-records.ts';
import { scratchFolder } from './scratch.ts';

const patience = { timeout: 120_000 };
const run = promisify(execFile);
const types = ['datagram', 'stream'] as const;
type Type = (typeof types)[number];

/** A server, and what it received. */
async function serving(type: Type) {
  const folder = scratchFolder();
  const path = join(folder.path, 'log');
  const sink = new KeptRecords();
  const server = new DevLogServer({ sink });
  await server.listen(path, { type });
  return {
    folder: folder.path,
    path,
    server,
    sink,
    /** Resolves with the records when there are so many. */
    until: async (count: number): Promise<LogRecord[]> => {
      await vi.waitUntil(() => sink.records.length >= count, patience);
      return sink.records;
    },
    [Symbol.asyncDispose]: async () => {
      await server.close();
      folder[Symbol.dispose]();
    },
  };
}

const isRoot = process.getuid?.() === 0;

describe.for(types)('logger of util-linux by %s', (type) => {
  const flag = type === 'stream' ? '-T' : '-d';

  test.for<[string[], Partial<Record<keyof LogRecord, unknown>>]>([
    [['hello world'], { message: 'hello world', severity: 5, facility: 1, hasTime: true }],
    [
      ['-p', 'local3.err', '-t', 'backup', 'no space'],
      { message: 'no space', severity: 3, facility: 19, tag: 'backup' },
    ],
    // It puts the name of the host in front, as nobody else does on a socket of the host itself.
    [['-p', 'user.debug', '--rfc3164', 'old'], { message: expect.stringMatching(/: old$/), severity: 7 }],
    [['-i', '-t', 'backup', 'mine'], { message: 'mine', tag: 'backup', isCorrected: false }],
    [['--socket-errors=on', 'told'], { message: 'told' }],
    [['-t', 'odd tag/with-signs', 'text'], {}],
    [['--rfc5424', '--msgid', 'ID47', '-t', 'app', 'new'], { message: 'new', messageId: 'ID47', tag: 'app' }],
    [['--rfc5424=notime,notq,nohost', '-t', 'app', 'bare'], { message: 'bare', tag: 'app' }],
    [['--octet-count', 'counted'], type === 'stream' ? { message: 'counted' } : {}],
    [['-S', '100', 'x'.repeat(300)], { message: 'x'.repeat(100) }],
    [['-S', '60000', 'y'.repeat(60_000)], { message: 'y'.repeat(60_000), isTruncated: false }],
    [['--', '<3>no priority'], { message: '<3>no priority', severity: 5 }],
    [['grüße 日本'], { message: 'grüße 日本' }],
  ])('%j', async ([args, expected]) => {
    await using log = await serving(type);
    await run('logger', ['-u', log.path, flag, ...args]);
    const [record] = await log.until(1);
    expect(record).toMatchObject(expected);
    expect(record?.text(record.start, record.end)).toContain((args.at(-1) as string).slice(0, 90));
    expect(record?.pid).toBe(record?.senderPid);
  });

  test('structured data', async () => {
    await using log = await serving(type);
    const data = ['--sd-id', 'zoo@123', '--sd-param', 'tiger="hungry"', '--sd-param', 'zebra="running"'];
    await run('logger', ['-u', log.path, flag, '--rfc5424', ...data, 'with data']);
    const [record] = await log.until(1);
    expect(record?.message).toBe('with data');
    expect(record?.data).toContain('[zoo@123 tiger="hungry" zebra="running"]');
    expect(JSON.stringify(structuredDataOf(record as LogRecord))).toContain('zoo@123');
  });

  test('lines of a file, with priorities in front, and empty ones left out', async () => {
    await using log = await serving(type);
    const file = join(log.folder, 'lines');
    writeFileSync(file, '<11>one\n\ntwo\n<14>three\n');
    await run('logger', ['-u', log.path, flag, '-t', 'lines', '-e', '--prio-prefix', '-f', file]);
    const records = await log.until(3);
    expect(records.map(({ message }) => message)).toEqual(['one', 'two', 'three']);
    // It goes on with the last priority that was said.
    expect(records.map(({ severity }) => severity)).toEqual([3, 3, 6]);
  });

  test('a pid that is not its own', async () => {
    await using log = await serving(type);
    await run('logger', ['-u', log.path, flag, '-t', 'other', `--id=${process.pid}`, 'for another']);
    const [record] = await log.until(1);
    expect(record?.processId).toBe(String(process.pid));
    // Root may say to the kernel as well that it is another process; for others it is corrected.
    expect(record?.isCorrected).toBe(!isRoot);
    expect(record?.pid).toBe(record?.senderPid);
  });
});

describe.for(types)('syslog(3) of glibc by %s', (type) => {
  test('from 200 processes at once: nothing is lost, and what each says comes in its order', async () => {
    await using log = await serving(type);
    const program = join(log.folder, 'say');
    await run('gcc', ['-O2', '-o', program, fileURLToPath(new URL('./programs/say.c', import.meta.url))]);
    const [processes, messages] = [200, 50];
    // It sends to /dev/log, which is another one in a name space of its own.
    const script = 'mount -t tmpfs none /dev && ln -s "$1" /dev/log && exec "$2" "$3" "$4"';
    const argv = ['sh', log.path, program, String(processes), String(messages)];
    await run('unshare', ['--mount', '--propagation', 'private', '/bin/sh', '-c', script, ...argv]);
    const records = await log.until(processes * messages);
    const said = Map.groupBy(records, ({ senderPid }) => senderPid);
    expect(said.size).toBe(processes);
    for (const [pid, own] of said) {
      const expected = Array.from({ length: messages }, (_, n) => `process ${pid} says ${n}: Success`);
      expect(own.map(({ message }) => message)).toEqual(expected);
    }
    expect(
      records.every(({ tag, facility, isCorrected }) => tag === 'say' && facility === 19 && !isCorrected),
    ).toBe(true);
    expect(records.map(({ severity }) => severity).filter((severity) => severity === 4)).toHaveLength(5000);
    expect(log.server.counters).toMatchObject({
      messages: processes * messages,
      lost: 0,
      corrected: 0,
      truncated: 0,
    });
  });
});

describe.for(types)('SysLogHandler of Python by %s', (type) => {
  test('messages of several lines, too', async () => {
    await using log = await serving(type);
    const program = `
import logging, logging.handlers, socket, sys
kind = socket.SOCK_STREAM if sys.argv[2] == 'stream' else socket.SOCK_DGRAM
handler = logging.handlers.SysLogHandler(sys.argv[1], facility='daemon', socktype=kind)
handler.ident = 'app: '
log = logging.getLogger()
log.addHandler(handler)
log.setLevel(logging.DEBUG)
log.error('first %d', 1)
log.debug('two\\nlines')
log.critical('grün')
handler.append_nul = kind == socket.SOCK_STREAM
log.warning('last')
`;
    await run('python3', ['-c', program, log.path, type]);
    const records = await log.until(4);
    expect(records.map(({ message }) => message)).toEqual(['first 1', 'two\nlines', 'grün', 'last']);
    expect(records.map(({ severity }) => severity)).toEqual([3, 7, 2, 4]);
    expect(records.every(({ tag, facility }) => tag === 'app' && facility === 3)).toBe(true);
  });
});

describe.for(types)('loggen of syslog-ng by %s', (type) => {
  test('as fast as it can: every message comes, in order', async () => {
    await using log = await serving(type);
    const programs = await DebianPrograms.of(['syslog-ng-core'], ['usr/lib/syslog-ng']);
    const flags = [
      '--unix',
      type === 'stream' ? '--stream' : '--dgram',
      '--number',
      '30000',
      '--rate',
      '10000000',
    ];
    const [command, ...args] = programs.argv(
      'usr/bin/loggen',
      ...flags,
      '--size',
      '200',
      '--quiet',
      log.path,
    );
    const env = { ...process.env, SYSLOGNG_PREFIX: join(programs.folder, 'usr') };
    await run(command, args, { env });
    const records = await log.until(30_000);
    const numbers = records.map((record) =>
      Number(/seq: (\d+)/.exec(record.text(record.start, record.end))?.[1]),
    );
    expect(numbers).toEqual(Array.from({ length: 30_000 }, (_, index) => index));
    expect(log.server.counters).toMatchObject({ messages: 30_000, lost: 0, truncated: 0 });
  });
});
