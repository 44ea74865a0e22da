import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createClient } from '@connectrpc/connect';
import { createVmTransport } from '@vm-tools/vm-rpc';
import { LogCollector, LogSeverity } from '@vm-tools/vm-rpc/vm-host';
import { hybridListenerPath, makeVmDirectory, vmSocketPath } from '@vm-tools/vsock';
import { beforeEach, expect, test, vi } from 'vitest';
import { Daemon } from './daemon.ts';
import { buildSenders, expectedNumbers, linesOf, numbersBySender } from './messages.ts';

// Both daemons on this machine: what connects them is the socket of a VM whose device is in user space.

const PATIENT = { timeout: 110_000, interval: 10 };
/** Each starts processes of Node.js, on a machine that may be busy. */
vi.setConfig({ testTimeout: 400_000 });
/** AF_VSOCK knows no folders: two of these tests may run at once. */
const PORT = 300_000 + process.pid;

let folder: string;
let env: NodeJS.ProcessEnv;
let devLog: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-vm-syslog-'));
  makeVmDirectory(3, join(folder, 'run'));
  env = { VM_TOOLS_RUNTIME_DIR: join(folder, 'run') };
  devLog = join(folder, 'dev-log');
  return () => rmSync(folder, { recursive: true });
});

const logs = () => join(folder, 'logs/1a2b/log');
const lines = () => (existsSync(join(logs(), 'd2Vi.log')) ? linesOf(logs(), 'd2Vi.log') : []);
const host = () => `unix:${hybridListenerPath(vmSocketPath(3, join(folder, 'run')), PORT)}`;

function forwarder(...args: string[]): Daemon {
  const listen = ['--listen', `vsock::${PORT}`, '--vm', '3=web:1a2b'];
  return new Daemon('vmlog-forwarder', ['--log-destination', join(folder, 'logs'), ...listen, ...args], {
    env,
  });
}

function collector(...args: string[]): Daemon {
  const own = ['--socket', devLog, '--spool', join(folder, 'spool'), '--no-kernel'];
  const flush = args.includes('--flush-ms') ? [] : ['--flush-ms', '20'];
  return new Daemon('vm-syslog', ['--host', host(), ...own, ...flush, ...args], { env });
}

function logger(...args: string[]): Promise<number | null> {
  const child: ChildProcess = spawn('logger', ['-u', devLog, ...args], { stdio: 'inherit' });
  return new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
}

test('what logger says in the guest is a line of the VM’s file on the host', async () => {
  await using host = await forwarder().logged('listening');
  await using guest = await collector().logged('listening');
  expect(await logger('-t', 'hello', '-i', '-p', 'user.err', 'a line')).toBe(0);
  await vi.waitUntil(() => lines().length > 0, PATIENT);
  expect(lines()[0]).toMatch(/^\w{3} [ \d]\d \d\d:\d\d:\d\d <11> {2}VM\(3\): {2}hello\[\d+\]: a line$/);
  expect(await guest.end('SIGTERM')).toBe(0);
  expect(await host.end('SIGTERM')).toBe(0);
  expect(existsSync(devLog)).toBe(false);
});

test('SIGTERM flushes: what was sent before arrives', async () => {
  await using _host = await forwarder().logged('listening');
  {
    await using guest = await collector('--flush-ms', '3600000').logged('listening');
    expect(await logger('-t', 'hello', 'in time')).toBe(0);
    expect(await guest.end('SIGTERM')).toBe(0);
  }
  // On a machine that is too busy for that, it has gone to the spool.
  await using _next = await collector().logged('listening');
  await vi.waitUntil(() => lines().length > 0, PATIENT);
  expect(lines()[0]).toContain('hello: in time');
});

test('without a host records wait, in files too, and arrive when it is there', async () => {
  {
    await using guest = await collector('--memory-bytes', '65536').logged('listening');
    expect(await logger('-t', 'early', 'before the host')).toBe(0);
    const sending = [...Array(300).keys()].map((each) => `message ${each} ${'0'.repeat(1000)}`).join('\n');
    const child = spawn('logger', ['-u', devLog, '-t', 'many', '--id=1'], {
      stdio: ['pipe', 'inherit', 'inherit'],
    });
    child.stdin.end(sending);
    await new Promise((resolve) => child.on('close', resolve));
    expect(await guest.end('SIGTERM')).toBe(0);
  }
  expect(statSync(join(folder, 'spool')).mode & 0o777).toBe(0o700);
  await using _host = await forwarder().logged('listening');
  await using _guest = await collector().logged('listening');
  expect(await logger('-t', 'late', 'after all')).toBe(0);
  await vi.waitUntil(() => lines().length >= 302, PATIENT);
  const many = lines().filter((line) => line.includes('many['));
  expect(many.map((line) => Number(/message (\d+) /.exec(line)?.[1]))).toEqual([...Array(300).keys()]);
  for (const tag of ['early: before the host', 'late: after all'])
    expect(lines().filter((line) => line.includes(tag))).toHaveLength(1);
});

test('a batch that comes again after the forwarder was killed is not written again', async () => {
  const transport = createVmTransport(host());
  const client = createClient(LogCollector, transport);
  const send = (batch: bigint) =>
    client.collectUserLogs({
      records: [{ content: Buffer.from(`batch ${batch}`), severity: LogSeverity.INFO }],
      ...{ sender: 'a', batch },
    });
  for (const round of [1n, 2n, 3n]) {
    await using _host = await forwarder().logged('listening');
    if (round > 1n) await send(round - 1n);
    await send(round);
  }
  await transport.abort();
  expect(lines().map((line) => line.replace(/.*: /, ''))).toEqual(['batch 1', 'batch 2', 'batch 3']);
});

test('SIGHUP opens files anew, and the control socket names VMs', async () => {
  const control = join(folder, 'control');
  await using host = await forwarder('--control', control).logged('listening');
  await using _guest = await collector().logged('listening');
  expect(statSync(control).mode & 0o777).toBe(0o600);
  await logger('-t', 'a', 'one');
  await vi.waitUntil(() => lines().length === 1, PATIENT);
  renameSync(join(logs(), 'd2Vi.log'), join(logs(), 'moved'));
  host.child.kill('SIGHUP');
  await vi.waitUntil(() => existsSync(join(logs(), 'd2Vi.log')), PATIENT);
  await logger('-t', 'a', 'two');
  await vi.waitUntil(() => lines().length === 1, PATIENT);
  expect(readFileSync(join(logs(), 'moved'), 'utf8')).toMatch(/^.*a: one\n$/);

  const ask = async (...commands: string[]) => {
    const socket = connect(control);
    socket.end(`${commands.join('\n')}\n`);
    const answer = await text(socket);
    return answer
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
  };
  const db = { cid: 4, name: 'db', owner: '1a2b' };
  expect(
    await ask(
      JSON.stringify({ do: 'add', ...db }),
      '{"do":"add","cid":4,"name":"x","owner":"a/b"}',
      '{"do":"add","cid":4,"name":"other","owner":"1a2b"}',
      '{"do":"list"}',
      '{"do":"remove","cid":3}',
      '{"do":"remove","cid":3}',
      '{"do":"dance"}',
      'null',
    ),
  ).toEqual([
    { ok: true },
    { ok: false, error: '"a/b" is no owner' },
    { ok: false, error: 'CID 4 is db of 1a2b: remove that first' },
    {
      ok: true,
      vms: [
        { cid: 3, name: 'web', owner: '1a2b', repeats: 0 },
        { ...db, repeats: 0 },
      ],
    },
    { ok: true },
    { ok: false, error: 'no VM has CID 3' },
    { ok: false, error: '"do" is to be "add", "remove" or "list"' },
    { ok: false, error: '"do" is to be "add", "remove" or "list"' },
  ]);
  expect(await ask('no JSON')).toEqual([{ ok: false, error: expect.stringContaining('JSON') as string }]);
  expect(existsSync(join(logs(), 'd2Vi.lsock'))).toBe(false);
  expect(existsSync(join(logs(), 'ZGI=.lsock'))).toBe(true);
});

test('two of a kind do not share what is one’s', async () => {
  await using _first = await forwarder().logged('listening');
  await using second = forwarder();
  expect(await second.ended).toBe(69);
  expect(second.output).toContain("is another process's");
  await using _guest = await collector().logged('listening');
  await using other = collector();
  expect(await other.ended).toBe(69);
  expect(other.output).toContain('another program receives there');
});

test('as another user it has given up being root when it says that it is ready', async () => {
  // The directory of the socket stays root's, as /dev does.
  chmodSync(folder, 0o755);
  await using guest = await collector('--user', 'nobody:nogroup').logged('listening');
  const status = readFileSync(`/proc/${guest.child.pid}/status`, 'utf8');
  expect(status).toMatch(/^Uid:\t65534\t65534\t65534\t65534$/m);
  expect(status).toMatch(/^Gid:\t65534\t65534\t65534\t65534$/m);
  expect(status).toMatch(/^Groups:\t65534 $/m);
  expect(statSync(join(folder, 'spool')).uid).toBe(65534);
  expect(await guest.end('SIGTERM')).toBe(0);
  await using unknown = collector('--user', 'nobody-at-all');
  expect(await unknown.ended).toBe(78);
  expect(unknown.output).toContain('--user nobody-at-all:nobody-at-all: ');
});

test('a forwarder that is killed twice under load loses nothing and repeats nothing', async () => {
  const [processes, messages] = [4, 2500];
  const senders = join(folder, 'senders');
  buildSenders(senders);
  await using _guest = await collector('--flush-bytes', '16384').logged('listening');
  let running = await forwarder('--limit', '0').logged('listening');
  const sending = spawn(senders, [devLog, 's', `${processes}`, `${messages}`], { stdio: 'inherit' });
  const sent = new Promise((resolve) => sending.on('close', resolve));
  for (const part of [0.2, 0.6]) {
    await vi.waitUntil(() => lines().length > part * processes * messages, PATIENT);
    await running.end('SIGKILL');
    running = await forwarder('--limit', '0').logged('listening');
  }
  expect(await sent).toBe(0);
  await vi.waitUntil(() => lines().length >= processes * messages, PATIENT);
  expect(await running.end('SIGTERM')).toBe(0);
  expect(numbersBySender(lines())).toEqual(expectedNumbers('s', processes, messages));
});
