import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { completionScript, helpText, manualPage } from '@vm-tools/daemon';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { program } from '../src/program.ts';
import { regionFile, run } from './vm-pstore-dump.ts';

const share = (name: string) => fileURLToPath(new URL(`../share/${name}`, import.meta.url));
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-pstore-dump-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('what it tells of itself', () => {
  it('is the help text that it was', async () => {
    const { code, stdout, stderr } = await run(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    await expect(stdout.toString()).toMatchFileSnapshot('snapshots/help.txt');
    expect(helpText(program)).toBe(stdout.toString());
  });

  // The files that are published; `vitest -u` writes them anew.
  it('is in the man page and the completions that are published', async () => {
    await expect(manualPage(program)).toMatchFileSnapshot(share('vm_pstore_dump.1'));
    await expect(completionScript(program, 'bash')).toMatchFileSnapshot(
      share('completions/vm_pstore_dump.bash'),
    );
    await expect(completionScript(program, 'zsh')).toMatchFileSnapshot(share('completions/_vm_pstore_dump'));
  });

  it('is its version', async () => {
    const { stdout } = await run(['--version']);
    expect(stdout.toString()).toBe('vm_pstore_dump 0.1.0\n');
  });
});

describe('a wrong command line ends with 64', () => {
  it.each([
    [['--dmseg'], '--dmseg: there is no such option; did you mean --dmesg?'],
    [['region'], '"region": no argument is expected; leave it out'],
    [['--layout', 'record=many'], '--layout: "many" in "record=many" is not a number'],
    [['--layout', 'record=4K', '--cmdline', 'x'], '--cmdline: does not go with --layout; give one of them'],
    [['--cmdline', 'quiet'], '--cmdline: no ramoops.mem_size= on this kernel command line'],
    [['--system', '--file', 'x'], '--system: does not go with --file'],
    [['--follow', '--dmesg'], '--follow: does not go with --dmesg'],
    [['--extract', 'x', '--json'], '--extract: does not go with --json'],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await run(
      ['--file', '/dev/null', ...args].slice(args[0] === '--system' ? 2 : 0),
    );
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toContain(`vm_pstore_dump: ${message}`);
  });
});

describe('what cannot be read', () => {
  it('ends with 2: no such file', async () => {
    const { code, stderr } = await run(['--file', join(folder, 'absent')]);
    expect(code).toBe(2);
    expect(stderr).toContain('ENOENT');
  });

  it.each([
    ['an empty file', '', 'in 0 bytes no zone begins'],
    ['zeros', '\0'.repeat(1 << 20), 'in 1048576 bytes no zone begins'],
    ['text', 'hello\n'.repeat(10_000), 'no zone begins'],
  ])('ends with 1: %s', async (name, content, message) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    const { code, stdout, stderr } = await run(['--file', path]);
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(message);
  });

  it('ends with 1: a folder', async () => {
    mkdirSync(join(folder, 'folder'));
    expect((await run(['--file', join(folder, 'folder')])).code).toBe(1);
  });

  it('ends with 1: a zone that was never made ready, by the layout that is given', async () => {
    const path = join(folder, 'arcvm');
    writeFileSync(path, new Uint8Array(1 << 20));
    const { code, stderr } = await run(['--file', path, '--layout', 'arcvm']);
    expect(code).toBe(1);
    expect(stderr).toContain('console zone 0: its signature is 0x00000000, not that of a zone');
  });

  it('ends with 1: a file that is shorter than the layout says, and a zone that the layout has not', async () => {
    const path = regionFile(folder, 'compress-lz4');
    expect((await run(['--file', path, '--layout', 'arcvm'])).stderr).toContain(
      'the region of 1048576 begins at 0: give all of it',
    );
    const { code, stderr } = await run(['--file', path, '--layout', 'record=4K,console=4K', '--pmsg']);
    expect(code).toBe(1);
    expect(stderr).toContain('has no pmsg zone by its layout');
  });

  it('ends with 73: files that are there already', async () => {
    const path = regionFile(folder, 'basic-noecc');
    const into = join(folder, 'into');
    expect((await run(['--file', path, '--extract', into])).code).toBe(0);
    const again = await run(['--file', path, '--extract', into]);
    expect(again.code).toBe(73);
    expect(again.stderr).toContain('name a directory without such files');
  });
});
