import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bootGuest, guestProgram } from '@vm-tools/guest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const node = (name: string, ...args: string[]) => ['--conditions=@vm-tools/source', file(name), ...args];

describe('both ends on one machine', () => {
  const folder = mkdtempSync(join(tmpdir(), 'grpc-over-vsock-'));
  const address = `unix:${join(folder, 'agent.sock')}`;
  const said: string[] = [];
  let agent: ChildProcess;

  beforeAll(async () => {
    agent = spawn(process.execPath, node('./agent.ts', address), { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: agent.stdout as NodeJS.ReadableStream });
    lines.on('line', (line) => said.push(line));
    await once(lines, 'line');
  });

  afterAll(async () => {
    agent.kill('SIGKILL');
    if (agent.exitCode === null && agent.signalCode === null) await once(agent, 'exit');
    rmSync(folder, { recursive: true });
  });

  const run = (...argv: string[]) =>
    promisify(execFile)(process.execPath, node('./main.ts', address, '--', ...argv)).then(
      ({ stdout }) => ({ code: 0, stdout, stderr: '' }),
      ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
        code,
        stdout,
        stderr,
      }),
    );

  test.each([
    [['true'], 0, 'true ended with 0\n'],
    [['sh', '-c', 'exit 3'], 3, 'sh ended with 3\n'],
    [['sh', '-c', 'kill -9 $$'], 137, 'sh was ended by signal 9\n'],
  ])('%j ends with %i', async (argv, code, stdout) => {
    expect(await run(...argv)).toEqual({ code, stdout, stderr: '' });
    await expect.poll(() => said, { timeout: 60_000 }).toContain(`unix: ${argv.join(' ')}`);
  });

  test('a program that is not there is told', async () => {
    const { code, stderr } = await run('/no/such/program');
    expect(code).toBe(69);
    expect(stderr).toBe('[not_found] /no/such/program cannot be run: ENOENT\n');
  });

  test('SIGTERM ends the agent', async () => {
    agent.kill('SIGTERM');
    expect(await once(agent, 'exit')).toEqual([0, null]);
  });
});

test('over AF_VSOCK in a guest, the caller is known by its CID', { timeout: 700_000 }, async () => {
  const agent = guestProgram(file('./agent.ts'), 'agent');
  const main = guestProgram(file('./main.ts'), 'main');
  await using guest = await bootGuest({
    node: true,
    modules: ['vsock_loopback'],
    files: { ...agent.files, ...main.files },
  });
  const output = await guest.sh(
    `
    node ${agent.path} vsock::8888 > /tmp/said &
    node ${main.path} vsock:local:8888 -- test -e /etc/passwd
    cat /tmp/said
    kill $!
    wait $!
  `,
    { timeoutMs: 500_000 },
  );
  expect(output).toBe('test ended with 0\nready\nCID 1: test -e /etc/passwd\n');
});
