import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as linux from '@vm-tools/linux';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const program = fileURLToPath(new URL('fixtures/sample.ts', import.meta.url));
let folder: string;
let children: ChildProcess[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-run-'));
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Starts the sample program; `until` resolves when its standard error has that text. */
function start(args: string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [...process.execArgv, program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  children.push(child);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  const until = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => stderr.includes(text) && resolve();
      child.stderr.on('data', look);
      void ended.then(() => reject(new Error(`it ended without saying ${text}: ${stderr}`)));
      look();
    });
  return { child, ended, until };
}

const act = (what: string, ...more: string[]) => start(['-r', folder, '--act', what, ...more, 'unix:/x']);

describe('a program', () => {
  it('answers --help, --version and --completion on standard output', async () => {
    const help = await start(['--help']).ended;
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toBe(readFileSync(new URL('snapshots/help.txt', import.meta.url), 'utf8'));
    expect(await start(['--version']).ended).toMatchObject({
      code: 0,
      stdout: 'sampled 1.2.3\n',
      stderr: '',
    });
    const completion = await start(['--completion', 'bash']).ended;
    expect(completion.stdout).toContain('complete -o default -F _sampled sampled');
  });

  it('says what is wrong with its command line, and ends with 64', async () => {
    expect(await start(['--root', '/srv']).ended).toEqual({
      code: 64,
      signal: null,
      stdout: '',
      stderr: "sampled: LISTEN: is missing; write unix:/path after the options\nTry 'sampled --help'.\n",
    });
    expect(await act('usage').ended).toMatchObject({
      code: 64,
      stderr: "sampled: --mode: does not go with that; leave it out\nTry 'sampled --help'.\n",
    });
  });

  it('logs to standard error in the format asked for', async () => {
    const { stdout, stderr, code } = await start(['-r', '/srv', '--log-format', 'json', 'unix:/x']).ended;
    expect({ stdout, code }).toEqual({ stdout: '', code: 0 });
    expect(JSON.parse(stderr)).toMatchObject({
      message: 'ran',
      root: '/srv',
      address: { kind: 'unix', path: '/x' },
    });
    expect((await start(['-r', '/srv', '--log-level', 'warn', 'unix:/x']).ended).stderr).toBe('');
  });

  it.each([
    ['exit error', 69, / sampled error: nobody is there code=ERR_NOBODY\n$/],
    [
      'system error',
      71,
      / sampled error: ENOENT: no such file or directory, open '\/nonexistent\/file' error=/,
    ],
    ['bug', 70, / sampled error: a bug error="a bug" stack="TypeError: a bug\\n {4}at /],
    ['unhandled', 70, / sampled error: rejected into the void error=.* stack=/],
    ['fail at the end', 70, / sampled error: failed to tidy up error="no broom"\n$/],
  ])('that meets with this ends so: %s', async (what, code, stderr) => {
    const ended = await act(what).ended;
    expect(ended).toMatchObject({ code, signal: null, stdout: '' });
    expect(ended.stderr).toMatch(stderr);
  });

  it('tidies up after an exception that nobody caught', async () => {
    const { code, stderr } = await act('uncaught').ended;
    expect(stderr).toContain('thrown into the void');
    expect(code).toBe(70);
    expect(readFileSync(join(folder, 'ended'), 'utf8')).toBe('uncaught\n');
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'runs its handlers backwards and ends with 0 on %s',
    async (signal) => {
      const { child, ended, until } = act('serve');
      await until('ready');
      child.kill(signal);
      const { code, stderr } = await ended;
      expect(code).toBe(0);
      expect(stderr).toContain(`${signal}: shutting down`);
      expect(readFileSync(join(folder, 'ended'), 'utf8')).toBe('second\nfirst\n');
    },
  );

  it('ends at once on a second signal, and by it', async () => {
    const { child, ended, until } = act('hang');
    await until('ready');
    child.kill('SIGTERM');
    await until('shutting down');
    child.kill('SIGINT');
    const { code, signal, stderr } = await ended;
    expect({ code, signal }).toEqual({ code: null, signal: 'SIGINT' });
    expect(stderr).toContain('SIGINT again: ending at once');
    expect(existsSync(join(folder, 'ended'))).toBe(false);
  });

  it('tells the service manager that it is ready, and that it ends', async () => {
    const path = join(folder, 'notify');
    const receiver = linux.socket(linux.constants.AF_UNIX, linux.constants.SOCK_DGRAM);
    try {
      linux.bind(receiver, { family: 'unix', path });
      const args = ['-r', folder, '--act', 'serve', 'unix:/x'];
      const { child, ended, until } = start(args, { NOTIFY_SOCKET: path });
      await until('ready');
      child.kill('SIGTERM');
      expect(await ended).toMatchObject({ code: 0 });
      const buffer = Buffer.alloc(200);
      const received = () => buffer.toString('utf8', 0, linux.recv(receiver, buffer, 0, buffer.length, 0));
      expect([received(), received()]).toEqual(['READY=1\nSTATUS=serving', 'STOPPING=1']);
    } finally {
      linux.close(receiver);
    }
  });
});
