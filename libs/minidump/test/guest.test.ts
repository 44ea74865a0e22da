import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bootGuest, type Guest } from '@vm-tools/guest';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Minidump, readMinidump } from '../src/index.ts';
import { CrashSite } from './crash.ts';
import { installed } from './installed.ts';
import { lldbFrames } from './lldb.ts';

// The kernel of a guest runs core2minidump, as the README tells: the packed program, by its command.

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const story = /^## From core_pattern to a backtrace.*?^```sh\n(.*?)^```/ms.exec(readme)?.[1] ?? '';
/** What is needed from elsewhere is not there: the packages are put into the guest, and lldb is on the host. */
const commands = story.split('\n').filter((line) => !/^(npm install|lldb) /.test(line));

const OS = 'ID=guest\n';
const site = new CrashSite();
let guest: Guest;
let program: string;

// A guest on an emulated CPU starts Node.js for each crash; on a machine with much else to do that adds up.
vi.setConfig({ testTimeout: 300_000 });

beforeAll(async () => {
  program = site.compile('crash.c');
  const packages = installed(['libs/minidump']);
  guest = await bootGuest({
    node: true,
    files: { ...packages.files, '/opt/crash': program, '/etc/os-release': Buffer.from(OS) },
  });
  // Which every Debian has.
  await guest.sh(`mkdir -p /usr/local/sbin\n${packages.script}`);
});
afterAll(async () => {
  await guest?.[Symbol.asyncDispose]();
  site[Symbol.dispose]();
});

/** The dump of the guest, as a file of this machine. */
async function dumpOf(command: string): Promise<{ path: string; dump: Minidump }> {
  const [name = '', ...more] = (await guest.sh(`ls /var/crash | grep '^${command}\\.'`)).trim().split('\n');
  expect(more).toEqual([]);
  const path = join(site.folder, name);
  writeFileSync(path, await guest.readFile(`/var/crash/${name}`));
  return { path, dump: readMinidump(readFileSync(path)) };
}

test('the two minutes of the README lead from core_pattern to a backtrace', async () => {
  expect(story).toMatch(/^npm install .*\n[\s\S]*^lldb -c /m);
  const { status, stdout: inspected } = await guest.exec(['/bin/sh', '-c', commands.join('\n')]);
  expect(status).toBe(0);
  expect(inspected).toMatch(/^Crash: +SIGSEGV /);
  expect(inspected).toMatch(/^Process: +\d+ +sh -c kill -SEGV \$\$$/m);
  expect(inspected).toMatch(/^Modules \(\d+\)$/m);
  const { path, dump } = await dumpOf('sh');
  expect(lldbFrames(path, 50)[0]?.pc).toBe(dump.registers(dump.exception!.context)?.get('rip'));
});

test('its dump has what /proc told, and what the core left out', async () => {
  await guest.sh('/opt/crash threads 5 || true');
  const { path, dump } = await dumpOf('crash');
  expect([...dump.threadNames.values()].sort()).toEqual([
    'crash',
    ...Array.from({ length: 5 }, (_, index) => `worker-${index}`),
  ]);
  expect(dump.softErrors).toEqual([]);
  expect(dump.handles.map(({ handle }) => Number(handle))).toEqual(expect.arrayContaining([0, 1, 2]));
  const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
  expect(text(dump.linux.cmdLine)).toBe('/opt/crash\0threads\x005\0');
  expect(text(dump.linux.procStatus)).toMatch(/^Name:\tcrash\n/);
  expect(text(dump.linux.maps)).toContain('[stack]');
  expect(text(dump.linux.cpuInfo)).toContain('processor');
  expect(text(dump.linux.lsbRelease)).toBe(OS);
  expect(dump.linux.environ).toBeUndefined();
  expect(dump.system?.osVersion).toContain(guest.release);
  expect(dump.misc?.times).toBeDefined();
  // Code is not in a core: the memory of the process, which the kernel still held, had it.
  const ip = dump.registers(dump.exception!.context)!.get('rip')!;
  expect(dump.readMemory(ip - 128n, 256)).toHaveLength(256);
  const names = lldbFrames(path, 50, program).map(({ name }) => name);
  expect(names.slice(0, 8)).toEqual([
    'crash_null',
    'null_dereference',
    ...new Array<string>(5).fill('recurse'),
    'with_threads',
  ]);
});
