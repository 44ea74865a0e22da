import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code, createClient } from '@connectrpc/connect';
import { DevLogServer, type LogRecord } from '@vm-tools/syslog';
import { createVmTransport, serveRpc } from '@vm-tools/vm-rpc';
import { LogCollector } from '@vm-tools/vm-rpc/vm-host';
import { beforeEach, expect, test, vi } from 'vitest';
import { Daemon } from './daemon.ts';

const PATIENT = { timeout: 110_000, interval: 10 };
/** Each starts processes of Node.js, on a machine that may be busy. */
vi.setConfig({ testTimeout: 400_000 });
/** AF_VSOCK knows no folders: two of these tests may run at once. */
const PORT = 600_000 + process.pid;

// What binds a socket and passes it as descriptor 3 (sd_listen_fds(3)), which cannot be done from Node.js.
const MANAGER = `
import os, socket, sys
made = socket.socket(socket.AF_UNIX, getattr(socket, sys.argv[1]))
made.bind(sys.argv[2])
if sys.argv[1] == 'SOCK_STREAM': made.listen(5)
os.dup2(made.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')
os.execv(sys.argv[3], sys.argv[3:])`;

let folder: string;
let passed: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-vm-syslog-'));
  passed = join(folder, 'passed');
  return () => rmSync(folder, { recursive: true });
});

const activated = (type: 'SOCK_DGRAM' | 'SOCK_STREAM') => ['python3', '-c', MANAGER, type, passed];
const spool = () => ['--spool', join(folder, 'spool'), '--no-kernel', '--flush-ms', '10'];

/** A host that takes all that it is sent. */
async function host(texts: string[]) {
  const at = `unix:${folder}/host`;
  const server = await serveRpc(at, (router) => {
    router.service(LogCollector, {
      collectUserLogs: ({ records }) => {
        texts.push(...records.map(({ content }) => Buffer.from(content).toString()));
        return {};
      },
    });
  });
  return { at, [Symbol.asyncDispose]: () => server.close() };
}

test('each tells the service manager when it is ready, and when it ends', async () => {
  const told: string[] = [];
  const write = (record: LogRecord) => {
    told.push(record.text(record.start, record.end));
    return true;
  };
  await using manager = new DevLogServer({ sink: { write, ready: () => Promise.resolve() } });
  const env = { NOTIFY_SOCKET: join(folder, 'notify'), VM_TOOLS_RUNTIME_DIR: join(folder, 'run') };
  await manager.listen(env.NOTIFY_SOCKET);
  const args = {
    'vmlog-forwarder': ['--log-destination', folder, '--listen', `vsock::${PORT}`],
    'vm-syslog': ['--socket', join(folder, 'log'), '--host', `vsock:local:${PORT}`, ...spool()],
  };
  for (const name of ['vmlog-forwarder', 'vm-syslog'] as const) {
    await using daemon = new Daemon(name, args[name], { env });
    await vi.waitUntil(() => told.some((text) => text.startsWith('READY=1\nSTATUS=')), PATIENT);
    expect(await daemon.end('SIGTERM'), daemon.output).toBe(0);
    await vi.waitUntil(() => told.includes('STOPPING=1'), PATIENT);
    told.length = 0;
  }
});

test('vm_syslog receives at the socket that it was passed, and leaves it where it is', async () => {
  const texts: string[] = [];
  await using receiving = await host(texts);
  await using daemon = new Daemon(
    'vm-syslog',
    ['--host', receiving.at, '--socket', '/dev/none/log', ...spool()],
    {
      wrapper: activated('SOCK_DGRAM'),
    },
  );
  await daemon.logged('listening');
  spawn('logger', ['-u', passed, '-t', 'hello', 'by a socket that was passed'], { stdio: 'inherit' });
  await vi.waitUntil(() => texts.length > 0, PATIENT);
  expect(texts).toEqual([' hello: by a socket that was passed']);
  expect(await daemon.end('SIGTERM'), daemon.output).toBe(0);
  expect(existsSync(passed)).toBe(true);
});

test('vmlog_forwarder serves the socket that it was passed, to VMs alone, and nowhere else', async () => {
  const args = ['--log-destination', join(folder, 'logs')];
  {
    await using daemon = new Daemon('vmlog-forwarder', args, { wrapper: activated('SOCK_STREAM') });
    await daemon.logged('listening');
    await using transport = createVmTransport(`unix:${passed}`);
    // By a Unix socket comes nobody who has a CID.
    const records = [{ content: Buffer.from('x') }];
    await expect(createClient(LogCollector, transport).collectUserLogs({ records })).rejects.toMatchObject({
      code: Code.PermissionDenied,
    });
    expect(await daemon.end('SIGTERM'), daemon.output).toBe(0);
  }
  expect(readdirSync(folder)).toEqual(['passed']);
  rmSync(passed);
  await using other = new Daemon('vmlog-forwarder', [...args, '--listen', `vsock::${PORT}`], {
    wrapper: activated('SOCK_STREAM'),
  });
  expect(await other.ended).toBe(64);
  expect(other.output).toContain('--listen: the service manager passed a socket as well');
});

test('a process that sends more than --limit has the rest counted in a line', async () => {
  const texts: string[] = [];
  await using receiving = await host(texts);
  const limited = ['--host', receiving.at, '--socket', join(folder, 'log'), '--limit', '2', ...spool()];
  await using daemon = await new Daemon('vm-syslog', limited).logged('listening');
  const flood = spawn('logger', ['-u', join(folder, 'log'), '-t', 'flood'], {
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  flood.stdin.end('message\n'.repeat(300));
  const told = () => {
    const suppressed = texts.flatMap(
      (text) => /: (\d+) messages of process \d+ were suppressed/.exec(text)?.[1] ?? [],
    );
    return suppressed.reduce((sum, records) => sum + Number(records), 0);
  };
  const arrived = () => texts.filter((text) => text === ' flood: message').length;
  await vi.waitUntil(() => arrived() + told() === 300, PATIENT);
  expect(told()).toBeGreaterThan(0);
  expect(await daemon.end('SIGTERM'), daemon.output).toBe(0);
});
