import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { close, connect, constants, send, socket } from '@vm-tools/linux';
import { DevLogServer, type LogRecord } from '@vm-tools/syslog';
import { LogRequestSchema, type LogSeverity } from '@vm-tools/vm-rpc/vm-host';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { Forwarder } from './forwarder.ts';
import { HostSyslog } from './host-syslog.ts';
import { RequestBatch } from './request-batch.ts';
import { encodedName, parseVm } from './vm.ts';

const PATIENT = { timeout: 90_000, interval: 5 };
const WEB = { cid: 3, name: 'web', owner: '1a2b' };
/** Local time, as the files have it. */
const NOON = new Date(2026, 10, 23, 12, 0, 0).getTime() / 1000;

let folder: string;
let trouble: [what: string, fields: Readonly<Record<string, unknown>>][];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-forwarder-'));
  trouble = [];
  return () => rmSync(folder, { recursive: true });
});

interface Wishes {
  readonly maxFileBytes?: number;
  readonly maxRecords?: number;
  readonly syslog?: HostSyslog;
  readonly isWithoutFiles?: boolean;
}

function forwarderOf(wishes: Wishes = {}): Forwarder {
  const { maxFileBytes = 1 << 20, maxRecords = Number.POSITIVE_INFINITY, syslog, isWithoutFiles } = wishes;
  const files = { directory: folder, maxFileBytes, kept: 2, gzip: false, sync: 'never' as const, maxRecords };
  return new Forwarder({
    files: isWithoutFiles ? undefined : files,
    syslog,
    onTrouble: (what, fields) => trouble.push([what, fields]),
  });
}

function request(
  contents: readonly (string | Buffer)[],
  rest: { sender?: string; batch?: bigint } = {},
): RequestBatch {
  const records = contents.map((content, second) => ({
    severity: 5 as LogSeverity,
    timestamp: { seconds: BigInt(NOON + second), nanos: 0 },
    content: Buffer.from(content),
  }));
  return new RequestBatch(create(LogRequestSchema, { records, ...rest }));
}

const path = (name: string, { owner } = WEB) => join(folder, owner, 'log', name);
const log = (name = 'd2Vi.log') => readFileSync(path(name), 'utf8');
/** The texts of the lines alone. */
const texts = (name?: string) =>
  log(name)
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^.*?VM\(\d+\): /, ''));

describe('a VM', () => {
  test.each([
    ['3=web:1a2b', { cid: 3, name: 'web', owner: '1a2b' }],
    ['4294967294=a=b:c:x.y-z_', { cid: 0xffff_fffe, name: 'a=b:c', owner: 'x.y-z_' }],
  ])('is written as %j', (text, vm) => {
    expect(parseVm(text)).toEqual(vm);
  });

  test.each([
    '',
    '3=web',
    'web:1a2b',
    '2=web:a',
    '03=web:a',
    '4294967295=web:a',
    '3=:a',
    '3=web:',
    '3=web:a/b',
  ])('is not written as %j', (text) => {
    expect(() => parseVm(text)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_VALUE' }) as Error);
  });

  test.each([`3=web:..`, `3=web:.a`, `3=${'x'.repeat(61)}:a`, `3=web:${'x'.repeat(256)}`])(
    'has no name that would become another file, as %j',
    (text) => {
      expect(() => parseVm(text)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_VALUE' }) as Error);
    },
  );

  test('has files that are named in base64url, with padding', () => {
    expect(['termina', 'web', 'ÿ/', '../..'].map(encodedName)).toEqual([
      'dGVybWluYQ==',
      'd2Vi',
      'w78v',
      'Li4vLi4=',
    ]);
  });
});

describe('to files', () => {
  test('records become lines, whatever is in them', async () => {
    await using forwarder = forwarderOf();
    await forwarder.add(WEB);
    const contents = ['plain', Buffer.from('a\nb\0\x1b[31m\xff', 'latin1'), '', ' kept'];
    await forwarder.take(3, request(contents));
    expect(log()).toBe(
      'Nov 23 12:00:00 <12>  VM(3): plain\nNov 23 12:00:01 <12>  VM(3): a#012b#000#033[31m\uFFFD\nNov 23 12:00:03 <12>  VM(3):  kept\n',
    );
    expect(statSync(path('d2Vi.log')).mode & 0o777).toBe(0o640 & ~process.umask());
  });

  test('a severity or time that is none is another', async () => {
    await using forwarder = forwarderOf();
    await forwarder.add(WEB);
    const times = [undefined, { seconds: -1n, nanos: 0 }, { seconds: 2n ** 62n, nanos: -5 }];
    const records = times.map((timestamp, at) => ({
      content: Buffer.from('x'),
      severity: [0, 9, -1][at] as LogSeverity,
      ...(timestamp ? { timestamp } : {}),
    }));
    await forwarder.take(3, new RequestBatch(create(LogRequestSchema, { records })));
    expect(log()).toMatch(/^(?:\w{3} [ \d]\d \d\d:\d\d:\d\d <13> {2}VM\(3\): x\n){3}$/);
  });

  test('a batch that comes again is not written again, not even by another process', async () => {
    const batch = (number: bigint, sender = 'a') =>
      request([`${sender} ${number}`], { sender, batch: number });
    {
      await using forwarder = forwarderOf();
      await forwarder.add(WEB);
      for (const number of [1n, 2n, 2n, 1n]) await forwarder.take(3, batch(number));
      await forwarder.take(3, batch(1n, 'b'));
      expect(forwarder.list()).toEqual([{ ...WEB, repeats: 2 }]);
    }
    await using forwarder = forwarderOf();
    await forwarder.add(WEB);
    for (const number of [2n, 3n]) await forwarder.take(3, batch(number));
    // Not numbered: there is no telling.
    for (const _ of [1, 2]) await forwarder.take(3, request(['?']));
    for (const _ of [1, 2]) await forwarder.take(3, request(['0'], { sender: 'a' }));
    expect(texts()).toEqual(['a 1', 'a 2', 'b 1', 'a 3', '?', '?', '0', '0']);
  });

  test('a file that cannot be written refuses the batch, which is taken when it can', async () => {
    await using forwarder = forwarderOf();
    await forwarder.add(WEB);
    const batch = request(['one'], { sender: 'a', batch: 1n });
    renameSync(path('d2Vi.log'), path('away'));
    // Something that is no file.
    const obstacle = await new DevLogServerAt(path('d2Vi.log')).open();
    forwarder.reopen();
    await expect(forwarder.take(3, batch)).rejects.toMatchObject({ code: Code.Unavailable });
    expect(trouble.map(([what]) => what)).toEqual(['its file cannot be opened', 'a batch cannot be written']);
    await obstacle.close();
    await forwarder.take(3, batch);
    await forwarder.take(3, batch);
    expect(texts()).toEqual(['one']);
  });

  test('SIGHUP has them opened by their names', async () => {
    await using forwarder = forwarderOf();
    await forwarder.add(WEB);
    await forwarder.take(3, request(['old']));
    renameSync(path('d2Vi.log'), path('moved'));
    forwarder.reopen();
    await forwarder.take(3, request(['new']));
    expect([texts('moved'), texts()]).toEqual([['old'], ['new']]);
  });

  test('half a line of a process that was killed is ended', async () => {
    {
      await using forwarder = forwarderOf();
      await forwarder.add(WEB);
      await forwarder.take(3, request(['whole']));
    }
    writeFileSync(path('d2Vi.log'), 'half', { flag: 'a' });
    await using forwarder = forwarderOf();
    await forwarder.add(WEB);
    await forwarder.take(3, request(['next']));
    expect(texts()).toEqual(['whole', 'half', 'next']);
  });

  test('a VM has no more than its files may take together', async () => {
    await using forwarder = forwarderOf({ maxFileBytes: 65_536 });
    await forwarder.add(WEB);
    for (let each = 0; each < 50; each++)
      await forwarder.take(3, request(new Array(500).fill('x'.repeat(100))));
    const sizes = ['d2Vi.log', 'd2Vi.log.1', 'd2Vi.log.2'].map((name) => statSync(path(name)).size);
    for (const size of sizes) expect(size).toBeLessThanOrEqual(65_536);
    expect(existsSync(path('d2Vi.log.3'))).toBe(false);
    // A batch that is more as lines than a file may be is cut, and that is told.
    await forwarder.take(3, request(new Array(1000).fill('\0'.repeat(100))));
    await vi.waitUntil(() => log().includes('messages are lost'), PATIENT);
    for (const name of ['d2Vi.log', 'd2Vi.log.1'])
      expect(statSync(path(name)).size).toBeLessThanOrEqual(65_536);
    const [, fields] = trouble.find(([what]) => what === 'records are lost') ?? [];
    expect(log()).toContain(
      `VM(3): vmlog_forwarder: ${fields?.['records'] as number} messages are lost: their batch was larger`,
    );
  });

  test('what is beyond the limit is lost, and counted in a line', async () => {
    {
      await using forwarder = forwarderOf({ maxRecords: 3 });
      await forwarder.add(WEB);
      await forwarder.take(3, request(['1', '2', '3', '4', '5']));
    }
    expect(texts()).toEqual(['1', '2', '3', 'vmlog_forwarder: 2 messages are lost: a VM may have 3 in 30 s']);
    expect(trouble).toEqual([
      ['records are lost', expect.objectContaining({ vm: 'web', cid: 3, records: 2 })],
    ]);
  });

  test('two processes do not write one file', async () => {
    await using first = forwarderOf();
    await first.add(WEB);
    await using second = forwarderOf();
    await expect(second.add(WEB)).rejects.toMatchObject({ code: 'ERR_JOURNAL_IN_USE' });
    expect(second.list()).toEqual([]);
    await first.remove(3);
    await second.add(WEB);
  });
});

describe('the console', () => {
  function console(address: string, ...datagrams: string[]): void {
    const fd = socket(constants.AF_UNIX, constants.SOCK_DGRAM);
    connect(fd, { family: 'unix', path: address });
    for (const text of datagrams) send(fd, Buffer.from(text), 0, Buffer.byteLength(text), 0);
    close(fd);
  }

  test('of a VM is in its file, and its socket goes with the VM', async () => {
    await using forwarder = forwarderOf();
    await forwarder.add(WEB);
    expect(statSync(path('d2Vi.lsock')).mode & 0o777).toBe(0o600);
    console(path('d2Vi.lsock'), '<3>Nov 23 12:00:00 kernel: Oops\n', 'without anything');
    await vi.waitUntil(() => log().split('\n').length === 3, PATIENT);
    expect(log()).toMatch(
      /^Nov 23 12:00:00 <11> {2}VM\(3\): {2}kernel: Oops\n.* <13> {2}VM\(3\): without anything\n$/,
    );
    console(path('d2Vi.lsock'), 'last words');
    await forwarder.remove(3);
    expect(texts().at(-1)).toBe('last words');
    expect(existsSync(path('d2Vi.lsock'))).toBe(false);
  });

  test('has a socket however long its path is', async () => {
    const vm = { cid: 3, name: 'n'.repeat(60), owner: 'o'.repeat(100) };
    await using forwarder = forwarderOf();
    await forwarder.add(vm);
    const name = encodedName(vm.name);
    expect(existsSync(path(`${name}.lsock`, vm))).toBe(true);
    await forwarder.remove(3);
    expect(existsSync(path(`${name}.lsock`, vm))).toBe(false);
    expect(existsSync(path(`${name}.log`, vm))).toBe(true);
  });
});

describe('which VM', () => {
  test('has a CID is told once, and may be told again', async () => {
    await using forwarder = forwarderOf();
    await Promise.all([forwarder.add(WEB), forwarder.add(WEB)]);
    await expect(forwarder.add({ ...WEB, name: 'db' })).rejects.toThrow(
      'CID 3 is web of 1a2b: remove that first',
    );
    await expect(forwarder.remove(4)).rejects.toThrow('no VM has CID 4');
    await forwarder.remove(3);
    await forwarder.add({ ...WEB, name: 'db' });
    expect(forwarder.list()).toEqual([{ ...WEB, name: 'db', repeats: 0 }]);
  });

  test('nobody has told: without a syslog its records are refused', async () => {
    await using forwarder = forwarderOf();
    await expect(forwarder.take(3, request(['one']))).rejects.toMatchObject({ code: Code.Internal });
  });
});

/** A syslog of this host, at a path. */
class DevLogServerAt {
  readonly lines: string[] = [];
  readonly #server: DevLogServer;
  readonly #path: string;

  constructor(at: string) {
    this.#path = at;
    const write = (record: LogRecord) => {
      this.lines.push(Buffer.from(record.bytes.subarray(record.start, record.end)).toString());
      return true;
    };
    this.#server = new DevLogServer({ sink: { write, ready: () => Promise.resolve() } });
  }

  async open(): Promise<this> {
    await this.#server.listen(this.#path);
    return this;
  }

  async close(): Promise<void> {
    await this.#server.close();
  }
}

describe('to the syslog', () => {
  let address: string;
  let syslog: HostSyslog;

  beforeEach(() => {
    address = join(folder, 'dev-log');
    syslog = new HostSyslog(address);
    return () => syslog.close();
  });

  test('go the records of a VM that nobody has named, each batch once', async () => {
    const server = await new DevLogServerAt(address).open();
    await using forwarder = forwarderOf({ syslog });
    const batch = request(['one', 'two\n'], { sender: 'a', batch: 1n });
    for (const _ of [1, 2]) await forwarder.take(7, batch);
    await vi.waitUntil(() => server.lines.length === 2, PATIENT);
    expect(server.lines).toEqual(['<12>Nov 23 12:00:00 VM(7): one', '<12>Nov 23 12:00:01 VM(7): two#012']);
    await server.close();
  });

  test('go those of all VMs when there are no files', async () => {
    const server = await new DevLogServerAt(address).open();
    await using forwarder = forwarderOf({ syslog, isWithoutFiles: true });
    await forwarder.add(WEB);
    await forwarder.take(3, request(['one']));
    await vi.waitUntil(() => server.lines.length === 1, PATIENT);
    expect(existsSync(join(folder, WEB.owner))).toBe(false);
    await server.close();
  });

  test('goes a copy, and when there is none the file has it all the same', async () => {
    await using forwarder = forwarderOf({ syslog });
    await forwarder.add(WEB);
    await forwarder.take(3, request(['one']));
    expect(trouble.map(([what]) => what)).toEqual(['records are missing in the syslog']);
    const server = await new DevLogServerAt(address).open();
    await forwarder.take(3, request(['two']));
    await vi.waitUntil(() => server.lines.length === 1, PATIENT);
    expect(texts()).toEqual(['one', 'two']);
    await server.close();
  });

  test('they wait with the VM while there is none, and go to the next one', async () => {
    await using forwarder = forwarderOf({ syslog });
    const batch = request(['one'], { sender: 'a', batch: 1n });
    await expect(forwarder.take(7, batch)).rejects.toMatchObject({ code: Code.Unavailable });
    for (const number of [1n, 2n]) {
      const server = await new DevLogServerAt(address).open();
      await forwarder.take(7, request([`${number}`], { sender: 'a', batch: number }));
      await vi.waitUntil(() => server.lines.length === 1, PATIENT);
      await server.close();
    }
  });
});
