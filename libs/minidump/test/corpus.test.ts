import { spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { hex } from '../src/dump/code-view.ts';
import { convertCore } from '../src/host/index.ts';
import { type Minidump, readMinidump } from '../src/index.ts';
import { CoreHandler } from './core-pattern.ts';
import { CrashSite } from './crash.ts';
import { buildIdOf, gdbFrames, librariesOf, Symbols, stackwalk, type Walked } from './judges.ts';

// Real programs crash; what gdb sees in their cores is what Breakpad's stackwalker must see in our dumps.

const site = new CrashSite();
const symbols = new Symbols(join(site.folder, 'symbols'));
let program: string;

beforeAll(() => {
  program = site.compile('crash.c');
  for (const file of [program, ...librariesOf(program)]) symbols.add(file);
});

afterAll(() => site[Symbol.dispose]());

interface Judged {
  readonly dump: Minidump;
  readonly walked: Walked;
}

interface Judging {
  /** Where gdb finds the symbols of the program, if not in what was run. */
  readonly file?: string;
  readonly filter?: string;
  /** How many frames are compared. */
  readonly most?: number;
  /**
   * `walk`: the stackwalker must see gdb's frames. `words`: all that gdb returned to must be in the dump, for where the stackwalker
   * cannot follow (signal frames, exceptions in libstdc++). `nothing`: there is no backtrace.
   */
  readonly compare?: 'walk' | 'words' | 'nothing';
}

/** Crashes, converts, and compares the frames of the thread that crashed. */
async function judge(
  command: readonly string[],
  { file = command[0]!, filter, most = 200, compare = 'walk' }: Judging = {},
): Promise<Judged> {
  const core = site.crash(command, filter === undefined ? {} : { filter });
  try {
    const dump = await convertFile(core, `${core}.dmp`);
    const walked = stackwalk(`${core}.dmp`, symbols.folder);
    // It has no other word for a thread without a stack.
    const stackless = dump.threads.some(({ stack }) => stack === undefined);
    expect(walked.errors.filter((error) => !stackless || !/region problem, 0x0\+0x0/.test(error))).toEqual(
      [],
    );
    expect(walked.threads).toBe(dump.threads.length);
    const truth = compare === 'nothing' ? [] : gdbFrames(file, core, most);
    if (compare !== 'nothing') expect(truth.length).toBeGreaterThan(1);
    if (compare === 'walk') {
      const seen = walked.frames.slice(0, truth.length);
      expect(seen.map(({ pc }) => `${pc}`)).toEqual(truth.map(({ pc }) => `${pc}`));
    } else if (compare === 'words') {
      const words = new Set(dump.memory.flatMap(({ start, bytes }) => wordsOf(start, bytes)));
      expect(truth.slice(1).filter(({ pc }) => !words.has(pc))).toEqual([]);
    }
    return { dump, walked };
  } finally {
    site.clean(core);
  }
}

async function convertFile(core: string, output: string): Promise<Minidump> {
  const fd = openSync(core, 'r');
  const to = openSync(output, 'w');
  try {
    await convertCore(fd, to);
    return readMinidump(readFileSync(output));
  } finally {
    closeSync(fd);
    closeSync(to);
  }
}

function wordsOf(start: bigint, bytes: Uint8Array): bigint[] {
  const skip = Number(-start & 7n);
  const view = new DataView(bytes.buffer, bytes.byteOffset + skip);
  const count = Math.floor((bytes.length - skip) / 8);
  return Array.from({ length: count }, (_, index) => view.getBigUint64(index * 8, true));
}

describe('the backtrace of the dump is that of the core', () => {
  test.each([
    ['a null dereference', ['null'], 'SIGSEGV /SEGV_MAPERR', 0x18n],
    ['a recursion 5,000 deep', ['deep'], 'SIGSEGV /SEGV_MAPERR', 0x18n],
    ['an abort', ['abort'], 'SIGABRT', 0n],
    ['an illegal instruction', ['illegal'], 'SIGILL', undefined],
    ['a bus error', ['bus'], 'SIGBUS', undefined],
    ['a division by zero', ['divide'], 'SIGFPE', undefined],
    ['a forbidden system call', ['sigsys'], 'SIGSYS', undefined],
    ['kill', ['kill'], 'SIGSEGV', 0n],
    ['sigqueue', ['sigqueue'], 'SIGSEGV', 0n],
    ['a leader that has exited', ['leaderless'], 'SIGSEGV /SEGV_MAPERR', 0x18n],
    ['1,400 mappings', ['mappings', '1400'], 'SIGSEGV /SEGV_MAPERR', 0x18n],
  ])('of %s', async (_, args, reason, address) => {
    const { dump, walked } = await judge([program, ...args], { most: 1000 });
    expect(walked.reason).toContain(reason);
    if (address !== undefined) expect(dump.exception?.address).toBe(address);
    expect(dump.softErrors).toEqual([]);
    expect(dump.modules[0]).toMatchObject({ name: program });
    expect(hex(dump.modules[0]!.buildId!)).toBe(buildIdOf(program));
  });

  test('of a stack overflow, whose stack is there from the first page above the guard', async () => {
    const { dump } = await judge([program, 'overflow'], { most: 1000 });
    expect(dump.threads[0]?.stack?.bytes.length).toBeGreaterThan(7 << 20);
    expect(dump.softErrors).toEqual([]);
  });

  test('of a handler on an alternate stack, and of the overflow behind it', async () => {
    const { dump, walked } = await judge([program, 'alternate'], { most: 500, compare: 'words' });
    expect(walked.reason).toContain('SIGABRT');
    expect(dump.memory.map(({ bytes }) => bytes.length).some((size) => size > 7 << 20)).toBe(true);
    expect(dump.softErrors).toEqual([]);
  });

  test.each([64, 1200])('of one of %i threads, all of which have their stacks', async (count) => {
    const { dump } = await judge([program, 'threads', `${count}`]);
    expect(dump.threads).toHaveLength(count + 1);
    expect(dump.threads.every(({ stack }) => stack !== undefined)).toBe(true);
    expect(dump.softErrors).toEqual([]);
  });

  test('of a jump to null', async () => {
    const { dump } = await judge([program, 'jump'], { compare: 'nothing' });
    expect(dump.registers(dump.exception!.context)?.get('rip')).toBe(0n);
    expect(dump.threads[0]?.stack).toBeDefined();
  });

  test('of a bad stack pointer, which leads nowhere', async () => {
    const { dump } = await judge([program, 'bad-sp'], { compare: 'nothing' });
    expect(dump.threads[0]?.stack).toBeUndefined();
    expect(dump.softErrors.map(({ code }) => code)).toEqual(['STACK_MISSING']);
  });

  test('of a C++ exception that nobody catches', async () => {
    const thrower = site.compile('terminate.cc', { name: 'terminate', compiler: 'g++' });
    for (const file of [thrower, ...librariesOf(thrower)]) symbols.add(file);
    const { walked } = await judge([thrower], { compare: 'words' });
    expect(walked.reason).toContain('SIGABRT');
  });

  test.each([
    ['linked statically', ['-static']],
    ['linked statically, at any address', ['-static-pie']],
    ['at a fixed address', ['-no-pie']],
  ])('of a program %s', async (_, flags) => {
    const name = flags[0]!.slice(1);
    const built = site.compile('crash.c', { name, flags });
    symbols.add(built);
    const { dump } = await judge([built, 'null']);
    expect(dump.modules[0]?.name).toBe(built);
    expect(hex(dump.modules[0]!.buildId!)).toBe(buildIdOf(built));
    expect(dump.dsoDebug === undefined).toBe(name === 'static');
  });
});

describe('the modules of the dump', () => {
  test('are all 40 libraries that were loaded, by their paths, as the dynamic linker has them', async () => {
    const library = site.compile('library.c', { name: 'libcrash.so', flags: ['-shared', '-fPIC'] });
    const libraries = Array.from({ length: 40 }, (_, index) => `${site.folder}/libcrash-${index}.so`);
    for (const copy of libraries) copyFileSync(library, copy);
    const { dump } = await judge([program, 'libraries', ...libraries]);
    const names = dump.modules.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(libraries));
    expect(dump.modules.every(({ buildId }) => buildId !== undefined)).toBe(true);
    expect(dump.dsoDebug?.linkMaps.map(({ name }) => name)).toEqual(expect.arrayContaining(libraries));
    const bases = new Set(dump.modules.map(({ base }) => base));
    expect(dump.dsoDebug?.linkMaps.slice(1).every(({ address }) => bases.has(address))).toBe(true);
    expect(dump.softErrors).toEqual([]);
  });

  test('have none, but are there, where the program has no build-id', async () => {
    const built = site.compile('crash.c', { name: 'no-id', flags: ['-Wl,--build-id=none'] });
    const { dump } = await judge([built, 'null'], { compare: 'nothing' });
    expect(dump.modules[0]).toMatchObject({ name: built, buildId: undefined });
    expect(dump.modules.length).toBeGreaterThan(3);
  });

  test.each(['removed', 'replaced'])('keep the build-id of a program that was %s', async (how) => {
    const copy = join(site.folder, how);
    copyFileSync(program, copy);
    const { dump } = await judge([copy, how], { compare: 'nothing' });
    expect(dump.modules[0]?.name).toBe(copy);
    expect(hex(dump.modules[0]!.buildId!)).toBe(buildIdOf(program));
  });

  test('keep the build-id of a program that never had a file', async () => {
    const launcher = site.compile('from-memory.c', { name: 'from-memory' });
    const { dump } = await judge([launcher, program, 'null'], { file: program });
    expect(dump.modules[0]?.name).toBe('/memfd:in memory');
    expect(hex(dump.modules[0]!.buildId!)).toBe(buildIdOf(program));
  });

  test('have long names, and names that are not ASCII', async () => {
    const folder = join(site.folder, 'd'.repeat(250), 'größe-日本');
    mkdirSync(folder, { recursive: true });
    const copy = join(folder, 'p'.repeat(200));
    copyFileSync(program, copy);
    const { dump } = await judge([copy, 'null'], { compare: 'nothing' });
    expect(dump.modules[0]?.name).toBe(copy);
  });
});

describe('a core with', () => {
  test('2 GiB of sparse memory is read only where it must be', async () => {
    const { dump } = await judge([program, 'sparse']);
    expect(dump.softErrors).toEqual([]);
    expect(dump.memory.reduce((size, { bytes }) => size + bytes.length, 0)).toBeLessThan(1 << 20);
  });

  test('every kind of memory (coredump_filter ff) is none the worse', async () => {
    const { dump } = await judge([program, 'null'], { filter: '0xff' });
    expect(dump.softErrors).toEqual([]);
  });

  test('no memory at all (coredump_filter 0) has its threads, and modules by their files', async () => {
    const { dump } = await judge([program, 'null'], { filter: '0', compare: 'nothing' });
    expect(dump.exception).toMatchObject({ code: 11, address: 0x18n });
    expect(hex(dump.modules[0]!.buildId!)).toBe(buildIdOf(program));
    const codes = new Set(dump.softErrors.map(({ code }) => code));
    expect([...codes].sort()).toEqual(['LINK_MAPS', 'MODULE_HEADERS', 'STACK_MISSING']);
  });
});

describe('as the handler of cores of this machine', () => {
  test('a conversion has what /proc tells, and what the core left out', async () => {
    const output = join(site.folder, 'handled');
    mkdirSync(output);
    const handler = join(site.folder, 'handler');
    const command = [
      process.execPath,
      '--conditions=@vm-tools/source',
      source('../src/host/core2minidump.ts'),
    ];
    const script = [
      '#!/bin/sh',
      `exec 2> '${output}/log'`,
      `'${command.join("' '")}' --proc "/proc/$1" --output '${output}/part' && mv '${output}/part' '${output}/dump'`,
    ];
    writeFileSync(handler, `${script.join('\n')}\n`, { mode: 0o755 });
    {
      await using _ = await CoreHandler.install(`${handler} %P`);
      // It holds the lock that crash() would wait for.
      const { pid, signal } = spawnSync(program, ['threads', '5'], { cwd: site.folder });
      expect([pid > 0, signal]).toEqual([true, 'SIGSEGV']);
      await vi.waitUntil(() => existsSync(join(output, 'dump')), { timeout: 60_000 });
    }
    const dump = readMinidump(readFileSync(join(output, 'dump')));
    expect([...dump.threadNames.values()].sort()).toEqual([
      'program',
      ...Array.from({ length: 5 }, (_, index) => `worker-${index}`),
    ]);
    expect(dump.softErrors).toEqual([]);
    expect(dump.handles.map(({ handle }) => Number(handle))).toEqual(expect.arrayContaining([0, 1, 2]));
    expect(new TextDecoder().decode(dump.linux.cmdLine)).toBe([program, 'threads', '5', ''].join('\0'));
    expect(new TextDecoder().decode(dump.linux.procStatus)).toMatch(/^Name:\tprogram\n/);
    expect(new TextDecoder().decode(dump.linux.maps)).toContain('[stack]');
    expect(new TextDecoder().decode(dump.linux.cpuInfo)).toContain('processor');
    expect(dump.linux.lsbRelease).toBeDefined();
    expect(dump.linux.environ).toBeUndefined();
    expect(dump.system?.osVersion).toContain(release());
    expect(dump.misc?.times).toBeDefined();
    // Code is not in a core: the memory of the process, which the kernel still held, had it.
    const ip = dump.registers(dump.exception!.context)!.get('rip')!;
    expect(dump.readMemory(ip - 128n, 256)).toHaveLength(256);
  });
});

function source(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}
