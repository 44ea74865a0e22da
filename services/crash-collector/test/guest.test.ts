import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readMinidump } from '@vm-tools/minidump';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildIdOf, Symbols, stackwalk } from '../../../libs/minidump/test/judges.ts';
import { CrashingGuest } from './crashing-guest.ts';

// Programs crash in a guest, and what arrives on the host is judged there. One test after the other, in one guest.

/** The frames of `crash null`, up to main. */
const frames = ['crash_null', 'null_dereference', ...new Array<string>(6).fill('recurse'), 'main'];
const spool = '/var/spool/crash_collector';
let site: CrashingGuest;

beforeAll(async () => {
  site = await CrashingGuest.boot();
});
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
});

test('--init makes it the handler of the kernel, which then waits for it', async () => {
  expect(await site.collector('--init')).toMatchObject({ status: 0, stderr: '' });
  expect(await site.guest.sh('cat /proc/sys/kernel/core_pattern /proc/sys/kernel/core_pipe_limit')).toBe(
    '|/usr/local/bin/node /opt/crash_collector/src/main.mjs --user=%P:%s:%u:%g:%f\n4\n',
  );
});

test('a program crashes, and its minidump lies on the host, where Breakpad walks it', async () => {
  await site.crashing('/opt/crash null || true');
  const { meta, dump, processTree } = await site.arrived();
  const symbols = new Symbols(join(site.folder, 'symbols'));
  symbols.add(site.program);
  const walked = stackwalk(dump, symbols.folder);
  expect(walked.errors).toEqual([]);
  expect(walked.reason).toBe('SIGSEGV /SEGV_MAPERR');
  expect(walked.frames.slice(0, frames.length).map(({ name }) => name)).toEqual(frames);
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

test('a stack overflow makes a report of more than 4 MiB, which arrives like others', async () => {
  await site.crashing('/opt/crash overflow || true');
  const { dump } = await site.arrived();
  expect(statSync(dump).size).toBeGreaterThan(7 << 20);
  expect(stackwalk(dump, join(site.folder, 'symbols')).frames[1]?.name).toBe('overflow');
});

test('what crashes in a container, or without consent, is neither sent nor kept', async () => {
  await site.crashing('unshare -p -f /bin/sh -c "/opt/crash null; true"');
  site.consent = false;
  await site.crashing('/opt/crash null || true');
  site.consent = true;
  await site.crashing('/opt/crash abort || true');
  const { dump } = await site.arrived();
  expect(readMinidump(readFileSync(dump)).exception?.code).toBe(6);
  expect(site.news).toBe(0);
  expect(await site.guest.sh(`ls ${spool} 2> /dev/null | wc -l`)).toBe('0\n');
});

test('while the host is away reports wait, and are sent when it is there', async () => {
  await site.leave();
  await site.crashing('/opt/crash null || true');
  expect(await site.guest.sh(`stat -c %a ${spool} ${spool}/*.crash`)).toBe('700\n600\n');
  await site.listen();
  const sent = await site.collector('--resend');
  expect(sent).toMatchObject({ status: 0 });
  expect(sent.stderr).toContain('reports that waited kept=1 refused=0 left=0');
  expect((await site.arrived()).meta.get('exec_name')).toBe('crash');
  expect(await site.guest.sh(`ls ${spool} | wc -l`)).toBe('0\n');
});

test('a service that failed is told to the host', async () => {
  expect(await site.notifier('lxd')).toMatchObject({ status: 0, stderr: '' });
  expect(site.failures).toEqual([{ cid: 3, process: 'lxd' }]);
});
