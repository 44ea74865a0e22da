import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { completionScript, helpText, manualPage } from '@vm-tools/daemon';
import { bootGuest, type Guest, type GuestOptions, nativeProgram } from '@vm-tools/guest';
import { connectHybrid } from '@vm-tools/vsock';
import { afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { program } from '../src/program.ts';
import { buildDaemon, Daemon, PATIENT, type StartOptions } from './daemon-process.ts';

const share = (name: string) => fileURLToPath(new URL(`../share/${name}`, import.meta.url));

beforeAll(buildDaemon);

let folder: string;
let socket: string;
let udsPath: string;
let daemons: Daemon[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-vuv-'));
  [socket, udsPath] = [join(folder, 'vhost.sock'), join(folder, 'vsock')];
  daemons = [];
});
afterEach(async () => {
  for (const { child } of daemons) child.kill('SIGKILL');
  await Promise.all(daemons.map(({ ended }) => ended));
  rmSync(folder, { recursive: true });
});

function start(args: readonly string[], options: StartOptions = {}): Daemon {
  const daemon = new Daemon(args, options);
  daemons.push(daemon);
  return daemon;
}

async function serve(more: readonly string[] = [], options: StartOptions = {}): Promise<Daemon> {
  const daemon = start(['--guest-cid', '9', '--socket', socket, '--uds-path', udsPath, ...more], options);
  await daemon.logged('listening');
  return daemon;
}

async function boot(vm: GuestOptions['vm']): Promise<Guest> {
  const files = { '/bin/vsock-peer': await nativeProgram('vsock-peer') };
  return bootGuest({ machine: 'q35', files, vm: { ...vm, vsock: { socket } } });
}

describe('what it tells of itself', () => {
  test('is the help text that it was', async () => {
    await expect(helpText(program)).toMatchFileSnapshot('snapshots/help.txt');
  });

  // The files that are published; `vitest -u` writes them anew.
  test('is in the man page and the completions that are published', async () => {
    await expect(manualPage(program)).toMatchFileSnapshot(share('vhost_user_vsock.8'));
    await expect(completionScript(program, 'bash')).toMatchFileSnapshot(
      share('completions/vhost_user_vsock.bash'),
    );
    await expect(completionScript(program, 'zsh')).toMatchFileSnapshot(
      share('completions/_vhost_user_vsock'),
    );
  });
});

test.each([
  [['--socket', '/s'], /--guest-cid: is missing/],
  [['--guest-cid', '2', '--socket', '/s'], /--guest-cid: .*2/],
  [['--guest-cid', '3'], /--socket: is missing/],
  [['--guest_cid', '3', '--socket', `/${'x'.repeat(97)}`], /--socket: .* has 98 bytes/],
  [
    ['--guest-cid', '3', '--socket', '/s', '--qmp-names', 'a:b'],
    /--qmp-names: "a:b" does not consist of three names/,
  ],
  [['--guest-cid', '3', '--socket', '/s', '--lost-vm', 'mourn'], /--lost-vm/],
])('a wrong command line is said to be: %j', async (args, problem) => {
  const { code, stderr } = await start(args).ended;
  expect({ code, stderr }).toEqual({ code: 64, stderr: expect.stringMatching(problem) });
});

test('it listens where it is told, for this user alone, and leaves nothing behind', async () => {
  const daemon = await serve();
  for (const path of [socket, udsPath]) expect(statSync(path).mode & 0o777).toBe(0o600);
  const second = await start(['--guest-cid', '9', '--socket', `${socket}2`, '--uds-path', udsPath]).ended;
  expect(second).toMatchObject({ code: 69, stderr: expect.stringContaining('--uds-path') });
  daemon.child.kill('SIGTERM');
  expect(await daemon.ended).toMatchObject({ code: 0 });
  expect([socket, udsPath].map((path) => existsSync(path))).toEqual([false, false]);
});

test('what is no socket is left alone', async () => {
  writeFileSync(socket, 'precious');
  const daemon = start(['--guest-cid', '9', '--socket', socket, '--uds-path', udsPath]);
  expect(await daemon.ended).toMatchObject({ code: 69, stderr: expect.stringContaining('EADDRINUSE') });
  expect(readFileSync(socket, 'utf8')).toBe('precious');
  expect(existsSync(udsPath)).toBe(false);
});

test("without --uds-path it is found in the VM's directory", async () => {
  const daemon = start(['--guest-cid', '9', '--socket', socket], {
    env: { VM_TOOLS_RUNTIME_DIR: join(folder, 'run') },
  });
  await daemon.logged('listening');
  expect(statSync(join(folder, 'run/vsock/9')).mode & 0o777).toBe(0o700);
  expect(existsSync(join(folder, 'run/vsock/9/sock'))).toBe(true);
});

test('as it is published, a guest talks to programs, a thousand times at once and in bulk, and the device stays small', async () => {
  const daemon = await serve([], { from: 'build' });
  await using guest = await boot({});
  // Programs of the host, each a socket beside the device's.
  const listen = async (port: number, handler: Parameters<typeof createServer>[1]) => {
    const server = createServer({ allowHalfOpen: true }, handler).listen(`${udsPath}_${port}`);
    onTestFinished(() => void server.close());
    await once(server, 'listening');
  };
  await listen(80, (connection) => connection.pipe(connection));
  expect(await guest.run(['vsock-peer', 'talk', '80'], { input: 'hello' })).toBe('hello');
  expect((await guest.exec(['vsock-peer', 'talk', '81'])).stderr).toBe('connect: ECONNRESET\n');
  expect(await guest.run(['vsock-peer', 'many', '80', '1000'])).toBe('1000\n');

  const server = await guest.spawn(['vsock-peer', 'echo', '6000']);
  await once(server.stdout, 'data');
  const client = await connectHybrid({ path: udsPath, port: 6000, allowHalfOpen: true });
  client.end('hello, guest');
  expect(await text(client)).toBe('hello, guest');
  await expect(connectHybrid({ path: udsPath, port: 6001 })).rejects.toMatchObject({
    code: 'ERR_HYBRID_REFUSED',
  });

  let received = 0;
  await listen(82, (connection) => {
    connection.on('data', (data) => {
      received += data.length;
    });
    connection.on('end', () => connection.end());
  });
  await guest.run(['vsock-peer', 'send', '82', String(64 << 20)]);
  await vi.waitUntil(() => received === 64 << 20, PATIENT);
  await guest.run(['vsock-peer', 'send-small', '82', String(1 << 20)]);
  await vi.waitUntil(() => received === 65 << 20, PATIENT);
  expect(daemon.peakMegabytes).toBeLessThan(110);
});

describe('a daemon that was killed', () => {
  test('is succeeded by one that gives the VM its device back', async () => {
    const first = await serve();
    const qmp = join(folder, 'qmp.sock');
    await using guest = await boot({ extraArgs: ['-qmp', `unix:${qmp},server=on,wait=off`] });
    const server = await guest.spawn(['vsock-peer', 'echo', '6000']);
    await once(server.stdout, 'data');
    first.child.kill('SIGKILL');
    await first.ended;
    const second = await serve(['--qmp', qmp]);
    await second.logged('VM attached');
    const client = await vi.waitFor(
      () => connectHybrid({ path: udsPath, port: 6000, allowHalfOpen: true }),
      PATIENT,
    );
    client.end('again');
    expect(await text(client)).toBe('again');
    second.child.kill('SIGKILL');
    await second.ended;

    const third = await serve(['--qmp', qmp, '--lost-vm', 'end']);
    expect(await guest.exited).toMatchObject({ code: 0 });
    await third.logged('is ended');
    const fourth = await start([
      '--guest-cid',
      '9',
      '--socket',
      `${socket}4`,
      '--uds-path',
      `${udsPath}4`,
      '--qmp',
      qmp,
    ]);
    await fourth.logged('none is lost');
  });
});
