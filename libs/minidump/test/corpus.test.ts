import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hex } from '../src/dump/code-view.ts';
import { Corpus } from './corpus.ts';
import { buildIdOf, gdbRun } from './judges.ts';

// Real programs crash; what gdb sees in their cores is what lldb and Breakpad's stackwalker must see in our dumps.

const corpus = new Corpus();
let program: string;

beforeAll(() => {
  program = corpus.compile('crash.c');
  corpus.addSymbols(program);
});

afterAll(() => corpus[Symbol.dispose]());

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
    const { dump, walked } = await corpus.judge([program, ...args], { most: 1000 });
    expect(walked.reason).toContain(reason);
    if (address !== undefined) expect(dump.exception?.address).toBe(address);
    expect(dump.softErrors).toEqual([]);
    expect(dump.modules[0]).toMatchObject({ name: program });
    expect(hex(dump.modules[0]!.buildId!)).toBe(buildIdOf(program));
  });

  test('of a stack overflow, whose stack is there from the first page above the guard', async () => {
    const { dump } = await corpus.judge([program, 'overflow'], { most: 1000 });
    expect(dump.threads[0]?.stack?.bytes.length).toBeGreaterThan(7 << 20);
    expect(dump.softErrors).toEqual([]);
  });

  test('of a handler on an alternate stack, and of the overflow behind it', async () => {
    const { dump, walked } = await corpus.judge([program, 'alternate'], { most: 500, breakpad: false });
    expect(walked.reason).toContain('SIGABRT');
    expect(dump.memory.map(({ bytes }) => bytes.length).some((size) => size > 7 << 20)).toBe(true);
    expect(dump.softErrors).toEqual([]);
  });

  test.each([64, 1200])('of one of %i threads, all of which have their stacks', async (count) => {
    const { dump } = await corpus.judge([program, 'threads', `${count}`]);
    expect(dump.threads).toHaveLength(count + 1);
    expect(dump.threads.every(({ stack }) => stack !== undefined)).toBe(true);
    expect(dump.softErrors).toEqual([]);
  });

  test('of a jump to null', async () => {
    const { dump } = await corpus.judge([program, 'jump'], { breakpad: false });
    expect(dump.registers(dump.exception!.context)?.get('rip')).toBe(0n);
    expect(dump.threads[0]?.stack).toBeDefined();
  });

  test('of a bad stack pointer, by the frame pointer', async () => {
    const { dump } = await corpus.judge([program, 'bad-sp']);
    expect(dump.softErrors.map(({ code }) => code)).toEqual(['STACK_POINTER']);
  });

  test('of a C++ exception that nobody catches', async () => {
    const thrower = corpus.compile('terminate.cc', { name: 'terminate', compiler: 'g++' });
    corpus.addSymbols(thrower);
    const { walked } = await corpus.judge([thrower], { breakpad: false });
    expect(walked.reason).toContain('SIGABRT');
  });

  test('of a panic in Rust', async () => {
    const program = corpus.compileRust('panic.rs');
    corpus.addSymbols(program);
    const { walked, frames } = await corpus.judge([program]);
    expect(walked.reason).toContain('SIGABRT');
    expect(frames.map(({ name }) => name)).toEqual(expect.arrayContaining(['panic::element', 'panic::main']));
  });

  test('of Node.js that aborts, which has all of its threads', async () => {
    const { dump, walked, frames } = await corpus.judge([process.execPath, '-e', 'process.abort()'], {
      // Up to the code that Node.js has made itself.
      most: 5,
      breakpad: false,
    });
    expect(walked.reason).toContain('SIGABRT');
    expect(frames.map(({ name }) => name)).toContainEqual(expect.stringMatching(/^node::Abort\(/));
    expect(dump.threads.length).toBeGreaterThan(4);
    expect(dump.threads.every(({ stack }) => stack)).toBe(true);
    expect(dump.softErrors).toEqual([]);
  });

  test.each([
    ['linked statically', ['-static']],
    ['linked statically, at any address', ['-static-pie']],
    ['at a fixed address', ['-no-pie']],
  ])('of a program %s', async (_, flags) => {
    const name = flags[0]!.slice(1);
    const built = corpus.compile('crash.c', { name, flags });
    corpus.symbols.add(built);
    const { dump } = await corpus.judge([built, 'null']);
    expect(dump.modules[0]?.name).toBe(built);
    expect(hex(dump.modules[0]!.buildId!)).toBe(buildIdOf(built));
    expect(dump.dsoDebug === undefined).toBe(name === 'static');
  });
});

test('a core of a process that goes on, which gdb writes, has its backtrace, too', async () => {
  const gcore = join(corpus.folder, 'gcore');
  const frames = gdbRun(
    corpus.folder,
    [program],
    ['break abort', 'run abort', 'python frames(50)', `gcore ${gcore}`],
  );
  const { dump } = await corpus.judgeCore(gcore, frames, { pipe: false });
  expect(dump.softErrors).toEqual([]);
  expect(dump.modules[0]?.name).toBe(program);
});

describe('the modules of the dump', () => {
  test('are all 40 libraries that were loaded, by their paths, as the dynamic linker has them', async () => {
    const library = corpus.compile('library.c', { name: 'libcrash.so', flags: ['-shared', '-fPIC'] });
    const libraries = Array.from({ length: 40 }, (_, index) => `${corpus.folder}/libcrash-${index}.so`);
    for (const copy of libraries) copyFileSync(library, copy);
    const { dump } = await corpus.judge([program, 'libraries', ...libraries]);
    const names = dump.modules.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(libraries));
    expect(dump.modules.every(({ buildId }) => buildId !== undefined)).toBe(true);
    expect(dump.dsoDebug?.linkMaps.map(({ name }) => name)).toEqual(expect.arrayContaining(libraries));
    const bases = new Set(dump.modules.map(({ base }) => base));
    expect(dump.dsoDebug?.linkMaps.slice(1).every(({ address }) => bases.has(address))).toBe(true);
    expect(dump.softErrors).toEqual([]);
  });

  test('have none, but are there, where the program has no build-id', async () => {
    const built = corpus.compile('crash.c', { name: 'no-id', flags: ['-Wl,--build-id=none'] });
    const { dump } = await corpus.judge([built, 'null']);
    expect(dump.modules[0]).toMatchObject({ name: built, buildId: undefined });
    expect(dump.modules.length).toBeGreaterThan(3);
  });

  test.each(['removed', 'replaced'])('keep the build-id of a program that was %s', async (how) => {
    const copy = join(corpus.folder, how);
    copyFileSync(program, copy);
    const { dump } = await corpus.judge([copy, how], { file: program });
    expect(dump.modules[0]?.name).toBe(copy);
    expect(hex(dump.modules[0]!.buildId!)).toBe(buildIdOf(program));
  });

  test('keep the build-id of a program that never had a file', async () => {
    const launcher = corpus.compile('from-memory.c', { name: 'from-memory' });
    const { dump } = await corpus.judge([launcher, program, 'null'], { file: program });
    expect(dump.modules[0]?.name).toBe('/memfd:in memory');
    expect(hex(dump.modules[0]!.buildId!)).toBe(buildIdOf(program));
  });

  test('have long names, and names that are not ASCII', async () => {
    const folder = join(corpus.folder, 'd'.repeat(250), 'größe-日本');
    mkdirSync(folder, { recursive: true });
    const copy = join(folder, 'p'.repeat(200));
    copyFileSync(program, copy);
    const { dump } = await corpus.judge([copy, 'null']);
    expect(dump.modules[0]?.name).toBe(copy);
  });
});

describe('a core with', () => {
  test('2 GiB of sparse memory is read only where it must be', async () => {
    const { dump } = await corpus.judge([program, 'sparse']);
    expect(dump.softErrors).toEqual([]);
    expect(dump.memory.reduce((size, { bytes }) => size + bytes.length, 0)).toBeLessThan(1 << 20);
  });

  test('every kind of memory (coredump_filter ff) is none the worse', async () => {
    const { dump } = await corpus.judge([program, 'null'], { filter: '0xff' });
    expect(dump.softErrors).toEqual([]);
  });

  test('no memory at all (coredump_filter 0) has its threads, and modules by their files', async () => {
    const { dump } = await corpus.judge([program, 'null'], { filter: '0', most: 1 });
    expect(dump.exception).toMatchObject({ code: 11, address: 0x18n });
    expect(hex(dump.modules[0]!.buildId!)).toBe(buildIdOf(program));
    const codes = new Set(dump.softErrors.map(({ code }) => code));
    expect([...codes].sort()).toEqual(['LINK_MAPS', 'MODULE_HEADERS', 'STACK_MISSING']);
  });
});
