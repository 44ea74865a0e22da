import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Client, Code, createClient } from '@connectrpc/connect';
import { completionScript, helpText, manualPage } from '@vm-tools/daemon';
import { createVmTransport } from '@vm-tools/vm-rpc';
import { CrashListener } from '@vm-tools/vm-rpc/vm-crash';
import { hybridListenerPath, makeVmDirectory, vmSocketPath } from '@vm-tools/vsock';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { program } from '../src/program.ts';

/** AF_VSOCK knows no folders: two of these tests may run at once. */
const PORT = 200_000 + process.pid;
const share = (name: string) => fileURLToPath(new URL(`../share/${name}`, import.meta.url));
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const minidump = Buffer.from('MDMP');

let folder: string;
let ends: (() => unknown)[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-crash-listener-'));
  ends = [];
});
afterEach(async () => {
  for (const end of ends.reverse()) await end();
  rmSync(folder, { recursive: true });
});

interface Listening {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  output(): string;
  logged(text: string): Promise<void>;
}

function start(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  [command = '', ...before]: readonly string[] = [process.execPath],
): Listening {
  const child = spawn(
    command,
    [...before, '--conditions=@vm-tools/source', '--disable-warning=ExperimentalWarning', main, ...args],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, VM_TOOLS_RUNTIME_DIR: join(folder, 'run'), ...env },
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  ends.push(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const logged = async (text: string) => {
    const gone = ended.then((code) => Promise.reject(new Error(`ended with ${code}: ${output}`)));
    await Promise.race([vi.waitUntil(() => output.includes(text), { timeout: 90_000 }), gone]);
  };
  return { child, ended, logged, output: () => output };
}

/** One that listens for the VM 3, and a client in that VM. */
async function listening(
  args: readonly string[],
  env?: NodeJS.ProcessEnv,
): Promise<Listening & { client: Client<typeof CrashListener> }> {
  makeVmDirectory(3, join(folder, 'run'));
  const listener = start(['--directory', join(folder, 'crash'), ...args, `vsock::${PORT}`], env);
  await listener.logged('listening');
  const transport = createVmTransport(
    `unix:${hybridListenerPath(vmSocketPath(3, join(folder, 'run')), PORT)}`,
  );
  ends.push(() => transport.abort());
  return { ...listener, client: createClient(CrashListener, transport) };
}

describe('what crash_listener tells of itself', () => {
  test('is the help text that it was', async () => {
    const { ended, output } = start(['--help']);
    expect(await ended).toBe(0);
    await expect(output()).toMatchFileSnapshot('snapshots/help.txt');
    expect(helpText(program)).toBe(output());
  });

  // The files that are published; `vitest -u` writes them anew.
  test('is in the man page and the completions that are published', async () => {
    await expect(manualPage(program)).toMatchFileSnapshot(share('crash_listener.8'));
    const completions = { bash: 'crash_listener.bash', zsh: '_crash_listener' } as const;
    for (const shell of ['bash', 'zsh'] as const) {
      const script = completionScript(program, shell);
      await expect(script).toMatchFileSnapshot(share(`completions/${completions[shell]}`));
    }
  });

  test('is its version', async () => {
    const { ended, output } = start(['--version']);
    expect(await ended).toBe(0);
    expect(output()).toBe('crash_listener 0.1.0\n');
  });
});

test.each([
  [[], '--consent: is missing; write --consent always|never|FILE'],
  [['--consent', 'maybe'], '--consent: "maybe" is no absolute path; write a path that begins with /'],
  [['--consent', 'never', '--directory', 'here'], '--directory: "here" is no absolute path'],
  [['--consent', 'never', '--max-reports', '0'], '--max-reports: "0" is too small'],
  [['--consent', 'never', 'vsock:2:7779x'], 'LISTEN: "vsock:2:7779x" is not an address'],
])('the wrong command line %j ends with 64 and says what to do', async (args, message) => {
  const { ended, output } = start(args);
  expect(await ended).toBe(64);
  expect(output()).toContain(`crash_listener: ${message}`);
});

test('it keeps reports, tells of failures, is ready when it says so, and leaves no socket', async () => {
  const told: string[] = [];
  const notify = join(folder, 'notify');
  // By a socket of datagrams, which Node.js has not on Unix: a small program of Python stands in for the service manager.
  const manager = spawn(
    'python3',
    [
      '-c',
      'import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\ns.bind(sys.argv[1])\nprint("bound",flush=True)\nwhile True: print(s.recv(4096).decode(),flush=True)',
      notify,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  ends.push(() => manager.kill());
  manager.stdout.setEncoding('utf8').on('data', (text: string) => told.push(text));
  await vi.waitUntil(() => told.join('').includes('bound'), { timeout: 90_000 });
  const { child, client, ended, logged } = await listening(['--consent', 'always'], {
    NOTIFY_SOCKET: notify,
  });
  await vi.waitUntil(() => told.join('').includes('READY=1'), { timeout: 90_000 });
  await client.sendCrashReport({ minidump, metadata: { exec_name: 'editor' } });
  const names = readdirSync(join(folder, 'crash')).map((name) => name.replace(/[\d.]+(?=\.3\.)/, '.N'));
  expect(names.sort()).toEqual(['vm_crash.N.3.dmp', 'vm_crash.N.3.meta', 'vm_crash.N.3.proclog']);
  await logged('crash report kept cid=3');
  await client.sendFailureReport({ failedProcess: 'lxd' });
  await logged('warn: a service of a VM has failed cid=3 process=lxd');
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect(existsSync(hybridListenerPath(vmSocketPath(3, join(folder, 'run')), PORT))).toBe(false);
});

describe('below a service manager', () => {
  // One that listens, and passes its socket as descriptor 3 (sd_listen_fds(3)); what cannot be done from Node.js.
  const MANAGER = `
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(5)
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')
os.execv(sys.argv[2], sys.argv[2:])`;
  const activated = (...args: string[]) =>
    start(args, {}, ['python3', '-c', MANAGER, join(folder, 'passed'), process.execPath]);

  test('it serves the socket that it was passed, to VMs alone, and leaves it where it is', async () => {
    const { child, ended, logged, output } = activated('--consent', 'always', '--directory', folder);
    await logged('listening');
    const transport = createVmTransport(`unix:${folder}/passed`);
    ends.push(() => transport.abort());
    // By a Unix socket comes nobody who has a CID.
    await expect(createClient(CrashListener, transport).sendCrashReport({ minidump })).rejects.toMatchObject({
      code: Code.FailedPrecondition,
      rawMessage: 'a caller without a CID is no VM that reports here',
    });
    child.kill('SIGTERM');
    expect(await ended, output()).toBe(0);
    expect(readdirSync(folder)).toEqual(['passed']);
  });

  test('it does not listen elsewhere as well', async () => {
    const { ended, output } = activated('--consent', 'always', `vsock::${PORT}`);
    expect(await ended).toBe(64);
    expect(output()).toContain('LISTEN: the service manager passed a socket as well');
  });
});

test('with --per-vm each VM has a directory, and --consent of a file is asked anew', async () => {
  const consent = join(folder, 'consent');
  const { client } = await listening(['--consent', consent, '--per-vm', '--max-reports', '1']);
  await expect(client.sendCrashReport({ minidump })).rejects.toMatchObject({ code: Code.FailedPrecondition });
  writeFileSync(consent, '');
  await client.sendCrashReport({ minidump });
  expect(readdirSync(join(folder, 'crash'))).toEqual(['3']);
  expect(readdirSync(join(folder, 'crash/3'))).toHaveLength(3);
  await expect(client.sendCrashReport({ minidump })).rejects.toMatchObject({ code: Code.ResourceExhausted });
});

test('with --accept-cid other VMs do not get as far as a call', async () => {
  const { client, logged } = await listening(['--consent', 'always', '--accept-cid', '4']);
  await expect(client.checkMetricsConsent({})).rejects.toMatchObject({ code: Code.Unavailable });
  await logged('connection refused');
});

test('the units name what is there', () => {
  const unit = readFileSync(share('systemd/crash_listener.service'), 'utf8');
  const command = /^ExecStart=\/usr\/bin\/env crash_listener (.*)$/m.exec(unit)?.[1] ?? '';
  const flags = [...command.matchAll(/--([\w-]+)/g)].map(([, flag = '']) => flag);
  expect(flags).toEqual(['consent', 'directory']);
  expect(readFileSync(share('systemd/crash_listener.socket'), 'utf8')).toContain('ListenStream=vsock::7779');
});
