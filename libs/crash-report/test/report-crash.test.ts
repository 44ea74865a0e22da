import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import { readMinidump } from '@vm-tools/minidump';
import { synthesizeCore } from '@vm-tools/minidump/synth';
import { type RpcServer, serveRpc } from '@vm-tools/vm-rpc';
import { CrashListener, type CrashReport } from '@vm-tools/vm-rpc/vm-crash';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CrashHost, collectCrash, reportCrash, Spool } from '../src/guest/index.ts';

const core = synthesizeCore({
  threads: [{ tid: 42, signal: 11, registers: { rsp: 0x7000n } }],
  segments: [{ start: 0x7000n, bytes: new Uint8Array(4096) }],
});
const crash = { pid: process.pid, signal: 11, uid: 0, gid: 0, exec: 'editor' };

let folder: string;
let server: RpcServer | undefined;
let host: CrashHost;
let received: CrashReport[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-report-crash-'));
  received = [];
  host = new CrashHost({ address: `unix:${folder}/host` });
});
afterEach(async () => {
  await host[Symbol.asyncDispose]();
  await server?.close({ graceMs: 0 });
  server = undefined;
  rmSync(folder, { recursive: true });
});

/** A host that keeps everything, or what `more` says. */
async function serve(more: Partial<ServiceImpl<typeof CrashListener>> = {}): Promise<void> {
  server = await serveRpc(`unix:${folder}/host`, (router) =>
    router.service(CrashListener, {
      checkMetricsConsent: () => ({ consentGranted: true }),
      sendCrashReport: (report) => {
        received.push(report);
        return {};
      },
      ...more,
    }),
  );
}
const refuse = (code: Code) => () => Promise.reject(new ConnectError('no', code));
const spool = () => new Spool(join(folder, 'spool'));
const waiting = () => readdirSync(join(folder, 'spool')).sort();
const report = { metadata: { exec_name: 'editor' }, minidump: Buffer.from('MDMP'), processTree: 'init\n' };

describe('a crash', () => {
  test('is reported with its minidump, its metadata and its process tree, and then let go', async () => {
    await serve();
    const order: string[] = [];
    const outcome = await reportCrash(core, crash, {
      host,
      spool: spool(),
      release: () => order.push(`released after ${received.length}`),
    });
    expect([outcome, order]).toEqual(['kept', ['released after 0']]);
    const { metadata, minidump, processTree } = received[0]!;
    expect(readMinidump(minidump).exception?.code).toBe(11);
    expect(metadata).toMatchObject({ exec_name: 'editor', upload_var_osName: 'Linux', done: '1' });
    expect(Number(metadata['upload_var_ptime'])).toBeGreaterThanOrEqual(0);
    expect(processTree.trimEnd().split('\n').at(-1)).toContain(`${process.pid} `);
  });

  test.each([
    ['no consent', { checkMetricsConsent: () => ({ consentGranted: false }) }, 'unwanted'],
    ['an error for consent', { checkMetricsConsent: refuse(Code.Internal) }, 'unwanted'],
    ['a refusal', { sendCrashReport: refuse(Code.InvalidArgument) }, 'refused'],
    ['no room', { sendCrashReport: refuse(Code.ResourceExhausted) }, 'spooled'],
    ['an error', { sendCrashReport: refuse(Code.Internal) }, 'spooled'],
  ] as const)('with %s of the host is not kept', async (_, more, outcome) => {
    await serve(more);
    expect(await reportCrash(core, crash, { host, spool: spool() })).toBe(outcome);
    expect(received).toEqual([]);
    if (outcome === 'spooled') expect(waiting()).toHaveLength(1);
  });

  test('of a container is left alone', async () => {
    const proc = join(folder, 'proc');
    for (const [name, target] of [
      ['self', 'pid:[1]'],
      ['7', 'pid:[2]'],
    ]) {
      mkdirSync(join(proc, `${name}/ns`), { recursive: true });
      symlinkSync(target!, join(proc, `${name}/ns/pid`));
    }
    const outcome = async (pid: number) =>
      await reportCrash(core, { ...crash, pid }, { host, spool: spool(), proc });
    expect([await outcome(7), await outcome(8)]).toEqual(['foreign', 'foreign']);
  });

  test('of a kernel that knows no PID namespaces is reported', async () => {
    await serve();
    const proc = join(folder, 'proc');
    mkdirSync(join(proc, '7'), { recursive: true });
    const outcome = async (pid: number) =>
      await reportCrash(core, { ...crash, pid }, { host, spool: spool(), proc });
    expect([await outcome(7), await outcome(8)]).toEqual(['kept', 'foreign']);
  });

  test('without a core is an error, and lets the process go', async () => {
    await serve();
    let released = 0;
    const told = reportCrash(Buffer.from('no core'), crash, {
      host,
      spool: spool(),
      release: () => released++,
    });
    await expect(told).rejects.toMatchObject({ name: 'CoreError' });
    expect([released, received]).toEqual([1, []]);
  });

  test('takes those along that wait', async () => {
    await spool().put(report);
    await serve();
    expect(await reportCrash(core, crash, { host, spool: spool() })).toBe('kept');
    expect(received.map(({ metadata }) => metadata['exec_name'])).toEqual(['editor', 'editor']);
    expect(waiting()).toEqual([]);
  });
});

describe('the metadata of a crash', () => {
  test('are those of ChromeOS where there is an lsb-release, else of os-release', async () => {
    const etc = join(folder, 'etc');
    mkdirSync(etc);
    writeFileSync(join(etc, 'os-release'), 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian \\"12\\""\n');
    const metadata = async () => (await collectCrash(core, crash, { etc, now: new Date(5) })).metadata;
    expect(await metadata()).toMatchObject({
      board: 'debian',
      ver: '12',
      'upload_var_lsb-release': 'Debian "12"',
      upload_var_vm_os_release: 'Debian "12"',
      upload_var_reportTimeMillis: '5',
      os_millis: `${Math.trunc(statSync(join(etc, 'os-release')).mtimeMs)}`,
    });
    writeFileSync(
      join(etc, 'lsb-release'),
      'CHROMEOS_RELEASE_BOARD=tatl\nCHROMEOS_RELEASE_VERSION=13729.0\nCHROMEOS_RELEASE_CHROME_MILESTONE=89\nCHROMEOS_RELEASE_DESCRIPTION=13729.0 (Test)\n',
    );
    expect(await metadata()).toMatchObject({
      board: 'tatl',
      ver: '13729.0',
      upload_var_cros_milestone: '89',
      'upload_var_lsb-release': '13729.0 (Test)',
      upload_var_vm_os_release: 'Debian "12"',
    });
  });
});

describe('the spool', () => {
  test('keeps reports as they are, for nobody else to read, and sends the oldest first', async () => {
    const names = ['a', 'b', 'c'];
    for (const exec_name of names) {
      expect(await spool().put({ ...report, metadata: { exec_name } })).toBe(true);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(statSync(join(folder, 'spool')).mode & 0o777).toBe(0o700);
    for (const name of waiting()) expect(statSync(join(folder, 'spool', name)).mode & 0o777).toBe(0o600);
    await serve();
    expect(await spool().resend(host)).toEqual({ kept: 3, refused: 0, left: 0 });
    expect(received.map(({ metadata }) => metadata['exec_name'])).toEqual(names);
    expect(received[0]).toMatchObject({ processTree: 'init\n' });
    expect(waiting()).toEqual([]);
  });

  test('has bounds: reports, and bytes', async () => {
    const small = new Spool(join(folder, 'spool'), { maxReports: 2 });
    expect([await small.put(report), await small.put(report), await small.put(report)]).toEqual([
      true,
      true,
      false,
    ]);
    const narrow = new Spool(join(folder, 'other'), { maxBytes: 10 });
    expect(await narrow.put(report)).toBe(false);
    expect([waiting().length, readdirSync(join(folder, 'other'))]).toEqual([2, []]);
  });

  test('keeps all when the host is away, and the rest when it has no more room', async () => {
    for (let count = 0; count < 3; count++) await spool().put(report);
    expect(await spool().resend(host)).toEqual({ kept: 0, refused: 0, left: 3 });
    const before = waiting();
    await serve({
      sendCrashReport: (each) => {
        if (received.length > 0) throw new ConnectError('full', Code.ResourceExhausted);
        received.push(each);
        return {};
      },
    });
    expect(await spool().resend(host)).toEqual({ kept: 1, refused: 0, left: 2 });
    expect(waiting()).toEqual(before.slice(1));
  });

  test('is emptied without consent, and of what is no report', async () => {
    await spool().put(report);
    writeFileSync(join(folder, 'spool', waiting()[0]!), 'nonsense');
    await serve();
    expect(await spool().resend(host)).toEqual({ kept: 0, refused: 1, left: 0 });
    await server?.close();
    await spool().put(report);
    await serve({ checkMetricsConsent: () => ({ consentGranted: false }) });
    expect(await spool().resend(host)).toEqual({ kept: 0, refused: 1, left: 0 });
    expect([received, waiting()]).toEqual([[], []]);
  });

  test('takes over what a process that is gone was sending, and removes what it was writing', async () => {
    await spool().put(report);
    const [name] = waiting();
    // No process has so high a number.
    const gone = 2 ** 22 + 1;
    const content = readFileSync(join(folder, 'spool', name!));
    rmSync(join(folder, 'spool', name!));
    writeFileSync(join(folder, 'spool', `.${gone}-${name}`), content);
    writeFileSync(join(folder, 'spool', `.${gone}-${name!.replace('.crash', '.partial')}`), '');
    writeFileSync(join(folder, 'spool', `.${process.pid}-${name!.replace('.crash', '.partial')}`), '');
    await serve();
    expect(await spool().resend(host)).toEqual({ kept: 1, refused: 0, left: 0 });
    expect(waiting()).toEqual([`.${process.pid}-${name!.replace('.crash', '.partial')}`]);
  });
});
