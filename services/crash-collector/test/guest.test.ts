import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readMinidump } from '@vm-tools/minidump';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { buildIdOf, Symbols, stackwalk } from '../../../libs/minidump/test/judges.ts';
import { lldbFrames } from '../../../libs/minidump/test/lldb.ts';
import { CrashingGuest } from './crashing-guest.ts';

// Programs crash in a guest, in which what is published is installed, and what arrives on the host is judged there. One test after the
// other, in one guest.

/** The frames of `crash null`, up to main. */
const frames = ['crash_null', 'null_dereference', ...new Array<string>(6).fill('recurse'), 'main'];
const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const story = /^In the VM, from now on.*?^```sh\n(.*?)^```/ms.exec(readme)?.[1] ?? '';
const spool = '/var/spool/crash_collector';
let site: CrashingGuest;

// A guest on an emulated CPU starts Node.js for each crash; on a machine with much else to do that adds up.
vi.setConfig({ testTimeout: 300_000 });

beforeAll(async () => {
  site = await CrashingGuest.boot();
});
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
});

test("what the README has the VM's owner type makes it the handler of the kernel, which then waits for it", async () => {
  const commands = story.split('\n').filter((line) => !line.startsWith('npm install '));
  expect(commands).toContainEqual(expect.stringMatching(/^crash_collector --init /));
  await site.crashing(commands.join('\n'));
  expect(await site.guest.sh('cat /proc/sys/kernel/core_pattern /proc/sys/kernel/core_pipe_limit')).toBe(
    '|/usr/local/bin/node /usr/local/lib/node_modules/@vm-tools/crash-collector/dist/main.cjs --user=%P:%s:%u:%g:%f\n4\n',
  );
  const { meta, processTree } = await site.arrived();
  expect(meta.get('exec_name')).toBe('busybox');
  expect(processTree).toContain('sh -c kill -SEGV $$');
});

test('a program crashes, and its minidump lies on the host, where lldb and Breakpad walk it', async () => {
  await site.crashing('/opt/crash null');
  const { meta, dump, processTree } = await site.arrived();
  const symbols = new Symbols(join(site.folder, 'symbols'));
  symbols.add(site.program);
  const walked = stackwalk(dump, symbols.folder);
  expect(walked.errors).toEqual([]);
  expect(walked.reason).toBe('SIGSEGV /SEGV_MAPERR');
  expect(walked.frames.slice(0, frames.length).map(({ name }) => name)).toEqual(frames);
  expect(
    lldbFrames(dump, frames.length, site.program).map(({ name }) => name),
    'by lldb',
  ).toEqual(frames);
  const { modules, softErrors, linux } = readMinidump(readFileSync(dump));
  expect(modules[0]?.name).toBe('/opt/crash');
  expect(Buffer.from(modules[0]?.buildId ?? []).toString('hex')).toBe(buildIdOf(site.program));
  expect(softErrors).toEqual([]);
  expect(new TextDecoder().decode(linux.cmdLine)).toBe('/opt/crash\0null\0');
  expect(linux.environ).toBeUndefined();
  expect([...meta.keys()]).toEqual(
    expect.arrayContaining(['exec_name', 'upload_var_osName', 'upload_var_osVersion', 'upload_var_ptime']),
  );
  expect(meta.get('exec_name')).toBe('crash');
  expect(meta.get('upload_var_osVersion')).toContain(site.guest.release);
  expect(Number(meta.get('upload_var_reportTimeMillis'))).toBeGreaterThan(0);
  expect(processTree).toMatch(/^1 .*\n +\d+ crash \(uid 0\): \/opt\/crash null\n$/s);
  // Nothing stays in the guest.
  expect(await site.guest.sh(`ls ${spool} 2> /dev/null | wc -l`)).toBe('0\n');
  expect(await site.kernelLog()).toMatch(
    /crash_collector\[\d+\]: crash reported pid=\d+ signal=11 exec=crash/,
  );
});

test('what crashes in a container, or without consent, is neither sent nor kept', async () => {
  site.consent = false;
  await site.crashing('/opt/crash null');
  site.consent = true;
  await site.crashing('unshare -p -f /bin/sh -c "/opt/crash null; true"');
  expect(site.news).toBe(0);
  expect(await site.guest.sh(`ls ${spool} 2> /dev/null | wc -l`)).toBe('0\n');
});

test('while the host is away reports wait, and are sent when it is there, those of more than 4 MiB like others', async () => {
  await site.leave();
  await site.crashing('/opt/crash overflow');
  expect(await site.guest.sh(`stat -c %a ${spool} ${spool}/*.crash`)).toBe('700\n600\n');
  await site.listen();
  const sent = await site.guest.exec(['crash_collector', '--resend']);
  expect(sent).toMatchObject({ status: 0 });
  expect(sent.stderr).toContain('reports that waited kept=1 refused=0 left=0');
  const { dump } = await site.arrived();
  expect(statSync(dump).size).toBeGreaterThan(7 << 20);
  expect(stackwalk(dump, join(site.folder, 'symbols')).frames[1]?.name).toBe('overflow');
  expect(await site.guest.sh(`ls ${spool} | wc -l`)).toBe('0\n');
});

test('a service that failed is told to the host', async () => {
  const notified = await site.guest.exec(['guest_service_failure_notifier', 'lxd']);
  expect(notified).toMatchObject({ status: 0, stderr: '' });
  expect(site.failures).toEqual([{ cid: 3, process: 'lxd' }]);
});
