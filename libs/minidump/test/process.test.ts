import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readProcess } from '../src/host/index.ts';
import { parseMaps } from '../src/host/maps.ts';
import { systemOf } from '../src/host/system.ts';

const folder = mkdtempSync(join(tmpdir(), 'vm-tools-minidump-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('of a process that runs, everything is read, and its memory and files on demand', async () => {
  const child = spawn('sleep', ['1000'], { env: { SECRET: 'no' }, stdio: ['pipe', 'ignore', 'ignore'] });
  try {
    await once(child, 'spawn');
    // It is this program still until it has become the other.
    while (!readFileSync(`/proc/${child.pid}/cmdline`, 'latin1').startsWith('sleep')) {
      await new Promise(setImmediate);
    }
    using facts = readProcess(`/proc/${child.pid}`);
    expect(facts.pid).toBe(child.pid);
    expect([...(facts.threadNames ?? [])]).toEqual([[child.pid, 'sleep']]);
    expect(`${facts.files?.cmdLine}`).toBe('sleep\u00001000\0');
    expect(facts.files?.environ).toBeUndefined();
    expect(facts.handles?.map(({ handle, type }) => [handle, type])).toEqual(
      expect.arrayContaining([
        [0n, 'Socket'],
        [1n, 'File'],
      ]),
    );
    expect(facts.system?.osVersion).toContain(release());
    expect(facts.times?.create).toBeGreaterThan(1_000_000_000);
    const program = facts.mappings?.find(
      ({ path, fileOffset }) => path.endsWith('/sleep') && fileOffset === 0n,
    );
    const inMemory = facts.readMemory?.(program!.start, 64);
    const file = facts.openFile?.(program!);
    expect([...inMemory!.subarray(0, 4)]).toEqual([0x7f, 0x45, 0x4c, 0x46]);
    expect(file?.same).toBe(true);
    expect(file?.readAt(0, 64)).toEqual(inMemory);
    expect(facts.readMemory?.(0n, 16)).toHaveLength(0);
    using withEnviron = readProcess(`/proc/${child.pid}`, { environ: true });
    expect(`${withEnviron.files?.environ}`).toBe('SECRET=no\0');
  } finally {
    child.kill('SIGKILL');
  }
});

test('of a copy of its directory, what is there is read, and nothing of this machine', () => {
  const copy = join(folder, 'copy');
  mkdirSync(join(copy, 'task/7'), { recursive: true });
  mkdirSync(join(copy, 'fd'));
  writeFileSync(join(copy, 'status'), 'Name:\tx\nPid:\t7\n');
  writeFileSync(join(copy, 'task/7/comm'), 'worker one\n');
  writeFileSync(join(copy, 'os-release'), 'NAME=other\n');
  symlinkSync('anon_inode:[eventpoll]', join(copy, 'fd/3'));
  symlinkSync('/var/log/x', join(copy, 'fd/4'));
  using facts = readProcess(copy);
  expect(facts.pid).toBe(7);
  expect([...(facts.threadNames ?? [])]).toEqual([[7, 'worker one']]);
  expect(`${facts.files?.lsbRelease}`).toBe('NAME=other\n');
  expect(facts.handles?.map(({ type, name }) => [type, name])).toEqual([
    ['Eventpoll', 'anon_inode:[eventpoll]'],
    ['File', '/var/log/x'],
  ]);
  expect([facts.files?.cpuInfo, facts.system?.osVersion, facts.readMemory, facts.times]).toEqual([
    undefined,
    '',
    undefined,
    undefined,
  ]);
});

test('a directory that is not there tells nothing', () => {
  using facts = readProcess(join(folder, 'none'));
  expect([facts.pid, facts.threadNames, facts.mappings, facts.handles]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

describe('lines of /proc/PID/maps', () => {
  test('are mappings, with spaces and newlines in their names', () => {
    const text = [
      '55d0-55e0 r-xp 00001000 fe:00 1234                       /tmp/a b\\012c (deleted)',
      '7ffc0000-7ffd0000 rw-p 00000000 00:00 0                  [stack]',
      '60000-70000 ---p 00000000 00:00 0 ',
      'nonsense',
    ].join('\n');
    expect(parseMaps(text)).toEqual([
      { start: 0x55d0n, end: 0x55e0n, fileOffset: 0x1000n, inode: 1234, path: '/tmp/a b\nc (deleted)' },
      { start: 0x7ffc0000n, end: 0x7ffd0000n, fileOffset: 0n, inode: 0, path: '[stack]' },
      { start: 0x60000n, end: 0x70000n, fileOffset: 0n, inode: 0, path: '' },
    ]);
  });
});

test('the processor is told as its vendor numbers it', () => {
  const cpuinfo =
    'processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\nstepping\t: 8\n\nprocessor\t: 1\n';
  const system = systemOf(cpuinfo, { release: '6.1.55-x', version: '#1 SMP' });
  expect(system).toMatchObject({
    level: 6,
    revision: 0x8f08,
    processorCount: 2,
    major: 6,
    minor: 1,
    build: 55,
  });
  expect(`${Buffer.from(system.cpu.subarray(0, 12))}`).toBe('GenuineIntel');
  expect(systemOf(undefined, undefined)).toMatchObject({ level: 0, processorCount: 0, osVersion: '' });
});
