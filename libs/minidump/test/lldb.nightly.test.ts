import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { convertCore } from '../src/host/index.ts';
import { readMinidump } from '../src/index.ts';
import { CrashSite } from './crash.ts';
import { gdbFrames } from './judges.ts';
import { lldbFrames, obj2yaml } from './lldb.ts';

const site = new CrashSite();
let program: string;
beforeAll(() => {
  program = site.compile('crash.c');
});
afterAll(() => site[Symbol.dispose]());

async function converted(core: string): Promise<string> {
  const output = `${core}.dmp`;
  const [from, to] = [openSync(core, 'r'), openSync(output, 'w')];
  await convertCore(from, to);
  for (const fd of [from, to]) closeSync(fd);
  return output;
}

describe('lldb sees in the dump what gdb sees in the core:', () => {
  test.each([
    ['null'],
    ['deep'],
    ['overflow'],
    ['alternate'],
    ['abort'],
    ['illegal'],
    ['bus'],
    ['divide'],
    ['sigsys'],
    ['kill'],
    ['leaderless'],
    ['threads', '64'],
    ['threads', '1200'],
    ['mappings', '1400'],
  ])('%s %s', async (...args) => {
    const core = site.crash([program, ...args.filter((arg) => arg !== undefined)]);
    const dump = await converted(core);
    const truth = gdbFrames(program, core, 100).map(({ pc }) => `${pc}`);
    const seen = lldbFrames(dump, 100).map((pc) => `${pc}`);
    expect(seen.slice(0, truth.length)).toEqual(truth);
    const { status, types } = obj2yaml(dump);
    expect(status).toBe(0);
    expect(types).toEqual(
      expect.arrayContaining(['ThreadList', 'ModuleList', 'MemoryList', 'Exception', 'SystemInfo']),
    );
    site.clean(core);
  });

  test('an exception of C++ that nobody catches', async () => {
    const thrower = site.compile('terminate.cc', { name: 'terminate', compiler: 'g++' });
    const core = site.crash([thrower]);
    const dump = await converted(core);
    const truth = gdbFrames(thrower, core, 100).map(({ pc }) => `${pc}`);
    expect(lldbFrames(dump, 100).slice(0, truth.length).map(String)).toEqual(truth);
    site.clean(core);
  });
});

test('gdb of a process that goes on writes a core of no crash, which is whole from a file', async () => {
  const gcore = `${site.folder}/gcore`;
  const commands = ['break abort', 'run abort', `gcore ${gcore}`].flatMap((command) => ['-ex', command]);
  execFileSync('gdb', ['-nx', '-batch', ...commands, program], { stdio: 'pipe' });
  const path = await converted(gcore);
  const dump = readMinidump(readFileSync(path));
  expect(dump.softErrors).toEqual([]);
  expect(dump.modules[0]?.name).toBe(program);
  const truth = gdbFrames(program, gcore, 50).map(({ pc }) => `${pc}`);
  expect(lldbFrames(path, 50).slice(0, truth.length).map(String)).toEqual(truth);
});

test('Node.js that aborts has all of its threads', async () => {
  const core = site.crash([process.execPath, '--abort-on-uncaught-exception', '-e', 'throw new Error("x")']);
  const dump = readMinidump(readFileSync(await converted(core)));
  expect(dump.threads.length).toBeGreaterThan(4);
  expect(dump.threads.every(({ stack }) => stack)).toBe(true);
  expect(dump.modules[0]?.name).toContain('node');
  expect(dump.softErrors).toEqual([]);
  site.clean(core);
});
