import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { completionScript, helpText, manualPage, type Program } from '@vm-tools/daemon';
import { synthesizeCore } from '@vm-tools/minidump/synth';
import { beforeEach, describe, expect, test } from 'vitest';
import { notifierProgram } from '../src/notifier-program.ts';
import { program } from '../src/program.ts';

const share = (name: string) => fileURLToPath(new URL(`../share/${name}`, import.meta.url));
const sources = {
  crash_collector: fileURLToPath(new URL('../src/main.ts', import.meta.url)),
  guest_service_failure_notifier: fileURLToPath(new URL('../src/notifier.ts', import.meta.url)),
};
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-crash-collector-'));
  return () => rmSync(folder, { recursive: true });
});

function run(name: keyof typeof sources, args: readonly string[], input: Uint8Array | string = '') {
  const flags = ['--conditions=@vm-tools/source', '--disable-warning=ExperimentalWarning'];
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, sources[name], ...args], {
    input,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe.each([
  ['crash_collector', program as Program],
  ['guest_service_failure_notifier', notifierProgram as Program],
] as const)('what %s tells of itself', (name, table) => {
  test('is the help text that it was', async () => {
    const { status, stdout } = run(name, ['--help']);
    expect(status).toBe(0);
    await expect(stdout).toMatchFileSnapshot(`snapshots/${name}.txt`);
    expect(helpText(table)).toBe(stdout);
  });

  // The files that are published; `vitest -u` writes them anew.
  test('is in the man page and the completions that are published', async () => {
    await expect(manualPage(table)).toMatchFileSnapshot(share(`${name}.8`));
    await expect(completionScript(table, 'bash')).toMatchFileSnapshot(share(`completions/${name}.bash`));
    await expect(completionScript(table, 'zsh')).toMatchFileSnapshot(share(`completions/_${name}`));
  });

  test('is its version', () => {
    expect(run(name, ['--version'])).toEqual({ status: 0, stdout: `${name} 0.1.0\n`, stderr: '' });
  });
});

test.each([
  [[], '--init, --user and --resend: are all missing; give one of them'],
  [['--init', '--resend'], '--init: does not go with --resend'],
  [['--user', 'nonsense'], '--user: "nonsense" is not what the kernel tells of a crash'],
  [['--user', '1:11:0:0'], '--user: "1:11:0:0" is not what the kernel tells of a crash'],
  [['--resend', '--spool', 'here'], '--spool: "here" is no absolute path'],
  [['--resend', '--host', 'nowhere'], '--host: "nowhere" is not an address'],
])('crash_collector %j ends with 64 and says what to do', (args, message) => {
  const { status, stderr } = run('crash_collector', args);
  expect(status).toBe(64);
  expect(stderr).toContain(`crash_collector: ${message}`);
});

describe('a crash', () => {
  const away = () => ['--host', `unix:${folder}/nobody`, '--spool', join(folder, 'spool')];
  const user = `${process.pid}:11:0:0:a:b`;

  test('waits while the host is away, and --resend says that it does', () => {
    const core = synthesizeCore({
      threads: [{ tid: process.pid, signal: 11, registers: { rsp: 0x7000n } }],
      segments: [{ start: 0x7000n, bytes: new Uint8Array(4096) }],
    });
    const { status, stderr } = run('crash_collector', ['--user', user, ...away()], core);
    expect(status).toBe(0);
    expect(stderr).toContain('warn: crash kept until the host is there');
    expect(stderr).toContain('exec=a:b');
    const resent = run('crash_collector', ['--resend', ...away()]);
    expect(resent.status).toBe(69);
    expect(resent.stderr).toContain('reports that waited kept=0 refused=0 left=1');
  });

  test('without a core ends with 78, and nothing waits', () => {
    const { status, stderr } = run('crash_collector', ['--user', user, ...away()], 'no core');
    expect(status).toBe(78);
    expect(stderr).toContain('crash lost');
    expect(run('crash_collector', ['--resend', ...away()])).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('guest_service_failure_notifier', () => {
  test.each([[[]], [['a', 'b']], [['--nonsense', 'a']]])('%j ends with 1', (args) => {
    expect(run('guest_service_failure_notifier', args)).toMatchObject({ status: 1 });
  });

  test('ends with 0 when the host is away', () => {
    const { status, stderr } = run('guest_service_failure_notifier', [
      '--host',
      `unix:${folder}/nobody`,
      'lxd',
    ]);
    expect(status).toBe(0);
    expect(stderr).toContain('warn: the host was not told service=lxd');
  });
});
