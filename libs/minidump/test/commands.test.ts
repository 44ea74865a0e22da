import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { ProgressBar } from '../src/host/progress-bar.ts';
import { readMinidump } from '../src/index.ts';
import { synthesizeCore } from '../src/synth/index.ts';
import { process as made } from './program.ts';
import { schemaErrors } from './schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'vm-tools-minidump-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string) => join(folder, name);
const core = path('core');
writeFileSync(core, synthesizeCore(made()));

function run(program: 'core2minidump' | 'minidump-inspect', args: string[], input?: Uint8Array) {
  const source = fileURLToPath(new URL(`../src/host/${program}.ts`, import.meta.url));
  const flags = ['--conditions=@vm-tools/source', '--disable-warning=ExperimentalWarning'];
  return spawnSync(process.execPath, [...flags, source, ...args], { ...(input && { input }) });
}

const snapshot = (name: string) => fileURLToPath(new URL(`./snapshots/${name}.txt`, import.meta.url));

describe('core2minidump', () => {
  test('converts a file into a file that nobody else can read', () => {
    const { status, stderr } = run('core2minidump', ['--output', path('out'), core]);
    expect([status, `${stderr}`]).toEqual([0, '']);
    expect(statSync(path('out')).mode & 0o777).toBe(0o600);
    expect(readMinidump(readFileSync(path('out'))).threads).toHaveLength(2);
  });

  test('converts standard input to standard output', () => {
    const { status, stdout } = run('core2minidump', ['--annotation=a=b=c', '-q'], readFileSync(core));
    expect(status).toBe(0);
    expect(readMinidump(stdout).crashpad?.annotations['a']).toBe('b=c');
  });

  test('says what a core lacked, and what is no core; then there is no file', () => {
    const cut = readFileSync(core).subarray(0, 20_000);
    const half = run('core2minidump', ['-o', path('half')], cut);
    expect(half.status).toBe(0);
    expect(`${half.stderr}`).toMatch(
      /^core2minidump: CORE_TRUNCATED: the core ends after 20000 of \d+ bytes$/m,
    );
    const none = run('core2minidump', ['-o', path('none')], new TextEncoder().encode('a text'));
    expect([none.status, `${none.stderr}`]).toEqual([
      65,
      'core2minidump: -: this is no ELF file, so no core\n',
    ]);
    expect(existsSync(path('none'))).toBe(false);
  });

  test.each([
    [['--no-such'], 64, "Unknown option '--no-such'"],
    [['a', 'b'], 64, 'one core at a time, not 2'],
    [['--budget=much', 'a'], 64, '--budget: much is no number'],
    [['--annotation=x', 'a'], 64, '--annotation: x is not KEY=VALUE'],
    [['/no/such/core'], 66, 'ENOENT'],
    [['-o', '/no/such/folder/out', core], 73, 'ENOENT'],
  ])('refuses %j', (args, status, message) => {
    const result = run('core2minidump', args);
    expect(result.status).toBe(status);
    expect(`${result.stderr}`).toContain(message);
  });

  test('has a help text', async () => {
    const { stdout } = run('core2minidump', ['--help']);
    await expect(`${stdout}`).toMatchFileSnapshot(snapshot('core2minidump-help'));
    expect(`${run('core2minidump', ['--version']).stdout}`).toMatch(/^core2minidump \d+\.\d+\.\d+\n$/);
  });
});

describe('minidump-inspect', () => {
  const dump = path('dump');
  writeFileSync(dump, new Uint8Array(0));

  test('tells people and programs what is in a dump', async () => {
    run('core2minidump', ['-o', dump, '--annotation', 'version=1\u001b[31m', core]);
    const text = `${run('minidump-inspect', [dump]).stdout}`;
    expect(text).toContain('version: 1\\u{1b}[31m');
    await expect(text.replace(/^Created: .*$/m, 'Created:  (now)')).toMatchFileSnapshot(snapshot('inspect'));
    const json: unknown = JSON.parse(`${run('minidump-inspect', ['--json', dump]).stdout}`);
    const schema: unknown = JSON.parse(
      readFileSync(new URL('../minidump.schema.json', import.meta.url), 'utf8'),
    );
    expect(schemaErrors(json, schema)).toEqual([]);
    expect(schemaErrors({ ...(json as object), more: 1 }, schema)).not.toEqual([]);
    expect(json).toMatchObject({ exception: { name: 'SIGSEGV', address: '0xdead' }, problems: [] });
  });

  test('tells what it cannot read, and reads the rest', () => {
    const bytes = readFileSync(dump);
    const { rva } = readMinidump(bytes).stream('moduleList')!;
    bytes.writeUInt32LE(0xffffffff, rva);
    const { status, stdout } = run('minidump-inspect', ['-', '--json'], bytes);
    expect(status).toBe(65);
    const { problems, threads } = JSON.parse(`${stdout}`) as { problems: string[]; threads: unknown[] };
    expect(problems).toEqual([expect.stringContaining('4294967295 entries of moduleList')]);
    expect(threads).toHaveLength(2);
  });

  test('refuses what is no minidump', () => {
    const { status, stderr } = run('minidump-inspect', [core]);
    expect([status, `${stderr}`]).toEqual([65, expect.stringContaining('do not begin with MDMP')]);
    expect(run('minidump-inspect', []).status).toBe(64);
  });
});

test('a progress bar is drawn now and then, within the width, and is gone afterwards', () => {
  let now = 0;
  let written = '';
  const write = (text: string) => {
    written += text;
    return true;
  };
  const bar = new ProgressBar({ write, columns: 40 } as never, () => now);
  bar.show({ read: 0, total: 0 });
  bar.show({ read: 1 << 20, total: 4 << 20 });
  now = 100;
  bar.show({ read: 2 << 20, total: 4 << 20 });
  bar.clear();
  bar.clear();
  expect(written.split('\r\x1b[K')).toEqual(['', '.......... 0 MiB of ?', '#####..... 2 MiB of 4 MiB', '']);
});
