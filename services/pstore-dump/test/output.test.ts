import { once } from 'node:events';
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildRamoops, RamoopsWriter } from '@vm-tools/pstore/synth';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { commandLineOf, kernelFile, regionFile, run, start } from './vm-pstore-dump.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-pstore-dump-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('what is printed', () => {
  it('is the console, as it was written', async () => {
    const { code, stdout, stderr } = await run(['--file', regionFile(folder, 'wrap-noecc')]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toEqual(kernelFile('wrap-noecc', 'console-ramoops-0'));
  });

  it.each([
    ['--dmesg', 'dmesg-ramoops-0'],
    ['--pmsg', 'pmsg-ramoops-0'],
  ])('with %s is that, binary too', async (option, file) => {
    const { code, stdout } = await run(['-f', regionFile(folder, 'basic-noecc'), option]);
    expect(code).toBe(0);
    expect(stdout).toEqual(kernelFile('basic-noecc', file));
  });

  it('with --ftrace is a line for each call, with names when there are symbols', async () => {
    const file = regionFile(folder, 'ftrace');
    const lines = kernelFile('ftrace', 'ftrace-ramoops-0').toString().split('\n');
    const plain = (await run(['-f', file, '--ftrace'])).stdout.toString().split('\n');
    const withoutNames = (line: string) => line.replace(/ {2}\S+ <- \S+$/, '');
    expect(plain.map(withoutNames)).toEqual(lines.map(withoutNames));
    const map = join(folder, 'System.map');
    writeFileSync(map, 'ffffffff812d6e00 T persistent_ram_write\nffffffff812d6ef0 T next\n');
    const named = (await run(['-f', file, '--ftrace', '--symbols', map])).stdout.toString();
    expect(named.split('\n')[0]).toBe(
      'CPU:0 ts:1326172 ffffffff812d6990  ffffffff812d6e38  0xffffffff812d6990 <- persistent_ram_write+0x38/0xf0',
    );
  });

  it('with --all is everything, each with its name', async () => {
    const { stdout } = await run(['--file', regionFile(folder, 'multi-oops'), '--all']);
    const names = [0, 1, 2, 3]
      .map((index) => `dmesg-ramoops-${index}`)
      .concat('console-ramoops-0', 'pmsg-ramoops-0');
    expect([...stdout.toString('latin1').matchAll(/^==> (\S+) <==$/gm)].map(([, name]) => name)).toEqual(
      names,
    );
    const expected = names.map(
      (name) => `==> ${name} <==\n${kernelFile('multi-oops', name).toString('latin1')}`,
    );
    expect(stdout.toString('latin1')).toBe(expected.join('\n'));
  });

  it('with --extract are the files of the kernel, with the time of the dump', async () => {
    const into = join(folder, 'extracted');
    const { code } = await run([
      '-f',
      regionFile(folder, 'ecc-corrected'),
      '--cmdline',
      commandLineOf('ecc-corrected'),
      '--extract',
      into,
    ]);
    expect(code).toBe(0);
    expect(readdirSync(into)).toEqual(['console-ramoops-0', 'dmesg-ramoops-0', 'pmsg-ramoops-0']);
    for (const name of readdirSync(into))
      expect(readFileSync(join(into, name))).toEqual(kernelFile('ecc-corrected', name));
    const [, seconds] =
      /====(\d+)/.exec(readFileSync(regionFile(folder, 'ecc-corrected')).toString('latin1')) ?? [];
    expect(Math.trunc(statSync(join(into, 'dmesg-ramoops-0')).mtimeMs / 1000)).toBe(Number(seconds));
  });

  it('of damage is what could be read, and what is wrong is told', async () => {
    const { code, stdout, stderr } = await run(['--file', regionFile(folder, 'bad-size'), '--all']);
    expect(code).toBe(0);
    expect(stdout).toEqual(kernelFile('bad-size', 'pmsg-ramoops-0'));
    expect(stderr).toContain('warn: console zone 0: a size of 2147483647 and a start of 15459 cannot be');
  });

  it('of a layout that is a guess is told with it', async () => {
    const { code, stderr } = await run(['--file', regionFile(folder, 'init-empty')]);
    expect(code).toBe(0);
    expect(stderr).toContain('warn: the layout is a guess; give it with --layout or --cmdline');
  });

  it('comes from the memory of a whole machine', async () => {
    const file = join(folder, 'memory');
    const fd = openSync(file, 'w');
    writeSync(fd, readFileSync(regionFile(folder, 'basic-ecc1')), 0, 0x100000, 0x8000000);
    ftruncateSync(fd, 0x9000000);
    closeSync(fd);
    const { stdout } = await run(['--file', file, '--cmdline', commandLineOf('basic-ecc1')]);
    rmSync(file);
    expect(`${stdout}\nECC: No errors detected\n`).toBe(
      kernelFile('basic-ecc1', 'console-ramoops-0').toString(),
    );
  });
});

describe('JSON', () => {
  it('has records, zones, layout and problems', async () => {
    const file = regionFile(folder, 'ecc-corrected');
    const { stdout } = await run(['--file', file, '--all', '--json']);
    const document = JSON.parse(stdout.toString());
    expect(document).toMatchObject({
      file,
      layout: { recordSize: 0x20000, consoleSize: 0x20000, pmsgSize: 0x20000, ftraceSize: 0, ecc: 16 },
      detected: { confidence: 'likely' },
      problems: [],
    });
    expect(document.zones).toHaveLength(8);
    expect(document.records.map(({ name, kind, ecc }: Record<string, unknown>) => [name, kind, ecc])).toEqual(
      [
        ['dmesg-ramoops-0', 'dmesg', { correctedBytes: 5, badBlocks: 0 }],
        ['console-ramoops-0', 'console', { correctedBytes: 5, badBlocks: 0 }],
        ['pmsg-ramoops-0', 'pmsg', { correctedBytes: 0, badBlocks: 0 }],
      ],
    );
    const [dump, , pmsg] = document.records;
    expect(dump).toMatchObject({
      reason: 'Panic',
      count: 1,
      part: 1,
      compression: 'deflate',
      boot: 0,
      time: expect.any(Number),
    });
    // What is no text is there in base64 as well.
    expect(`${Buffer.from(pmsg.base64, 'base64').toString('latin1')}\nECC: No errors detected\n`).toBe(
      kernelFile('ecc-corrected', 'pmsg-ramoops-0').toString('latin1'),
    );
  });

  it('has the calls of ftrace', async () => {
    const { stdout } = await run(['--file', regionFile(folder, 'ftrace'), '--ftrace', '--json']);
    const [{ entries }] = JSON.parse(stdout.toString()).records;
    expect(entries).toHaveLength(1364);
    expect(entries[0]).toEqual({
      cpu: 0,
      stamp: '1326172',
      address: '0xffffffff812d6990',
      caller: '0xffffffff812d6e38',
    });
  });

  it('can be printed on a terminal', async () => {
    const layout = {
      memSize: 0x4000,
      recordSize: 0,
      consoleSize: 0x4000,
      ftraceSize: 0,
      pmsgSize: 0,
      ecc: 0,
    };
    const file = join(folder, 'hostile');
    writeFileSync(file, buildRamoops({ layout, console: '\x1b]0;owned\x07\x9b31m\x7f\u202e\n' }));
    const { stdout } = await run(['--file', file, '--layout', 'console=16K', '--json']);
    expect(stdout.toString()).toMatch(/^[\x20-\x7e]*\n$/);
    expect(JSON.parse(stdout.toString()).records[0].text).toBe('\x1b]0;owned\x07\x9b31m\x7f\u202e\n');
  });
});

describe('following', () => {
  it('prints what comes, and ends with 0 when it is told to', async () => {
    const layout = {
      memSize: 0x8000,
      recordSize: 0x1000,
      consoleSize: 0x4000,
      ftraceSize: 0,
      pmsgSize: 0,
      ecc: 0,
    };
    const file = join(folder, 'live');
    const writer = new RamoopsWriter(layout);
    writer.console('[    0.000000] before\n');
    writeFileSync(file, writer.region);
    const child = start(['--file', file, '--layout', 'record=4K,console=16K', '--follow']);
    let out = '';
    child.stdout?.on('data', (chunk) => {
      out += chunk;
    });
    const patience = { timeout: 60_000, interval: 10 };
    await vi.waitUntil(() => out === '[    0.000000] before\n', patience);
    writer.console('[    1.000000] after\n');
    writeFileSync(file, writer.region, { flag: 'r+' });
    await vi.waitUntil(() => out === '[    0.000000] before\n[    1.000000] after\n', patience);
    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([0, null]);
  });
});
