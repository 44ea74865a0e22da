import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code } from '@connectrpc/connect';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { ReportDirectory } from './report-directory.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-crash-report-'));
  return () => rmSync(folder, { recursive: true });
});

const minidump = Buffer.from('MDMP and so on');
const report = { metadata: { exec_name: 'editor', ver: '1.0' }, minidump, processTree: 'init\n  editor\n' };
const now = () => new Date('2026-01-02T03:04:05.678Z');

test('a report becomes three files that name each other', async () => {
  const directory = new ReportDirectory(join(folder, 'new/crash'), { now });
  const kept = await directory.keep(report, 33);
  const base = /vm_crash\.20260102\.030405\.\d{5}\.33(?=\.meta$)/.exec(kept.meta)?.[0];
  expect(base).toBeDefined();
  expect(readFileSync(kept.meta, 'utf8')).toBe(
    `exec_name=editor\nver=1.0\nupload_text_process_tree=${base}.proclog\npayload=${base}.dmp\ndone=1\n`,
  );
  expect(readFileSync(kept.minidump)).toEqual(minidump);
  expect(readFileSync(kept.processTree, 'utf8')).toBe('init\n  editor\n');
  expect(kept.leftOut).toBe(0);
  expect(readdirSync(directory.path).sort()).toEqual([`${base}.dmp`, `${base}.meta`, `${base}.proclog`]);
  for (const path of [kept.meta, kept.minidump, kept.processTree])
    expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(directory.path).mode & 0o777).toBe(0o700);
});

test('a directory holds 32 reports, however many come at once, and takes more when some are gone', async () => {
  writeFileSync(join(folder, 'something-else'), '');
  const directory = new ReportDirectory(folder);
  const all = await Promise.allSettled(Array.from({ length: 40 }, () => directory.keep(report, 3)));
  expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(32);
  expect(all.find(({ status }) => status === 'rejected')).toMatchObject({
    reason: { code: Code.ResourceExhausted },
  });
  expect(readdirSync(folder).filter((name) => name.endsWith('.meta'))).toHaveLength(32);
  for (const name of readdirSync(folder).filter((each) => each.startsWith('vm_crash.')))
    rmSync(join(folder, name));
  await directory.keep(report, 3);
});

describe('what a VM says of a crash', () => {
  test('names no files of the host, and begins no lines', async () => {
    const directory = new ReportDirectory(folder);
    const metadata = {
      exec_name: 'a\nupload_file_x=/etc/shadow\r\u2028b\u202ec',
      payload: '/etc/shadow',
      upload_file_log: '/etc/shadow',
      upload_text_log: '/etc/shadow',
      done: '1',
      'a=b': 'c',
      '': 'x',
      é: 'x',
      ['k'.repeat(65)]: 'x',
      long: 'x'.repeat(5000),
    };
    const kept = await directory.keep({ ...report, metadata, processTree: 'a\x1b[2Jb\n\tc\r\u202ed' }, 3);
    const text = readFileSync(kept.meta, 'utf8');
    expect(text).not.toContain('shadow\n');
    expect(text.split('\n').slice(0, 2)).toEqual([
      'exec_name=a upload_file_x=/etc/shadow  b c',
      `long=${'x'.repeat(1024)}`,
    ]);
    expect(text.split('\n')).toHaveLength(6);
    expect(kept.leftOut).toBe(4);
    expect(readFileSync(kept.processTree, 'utf8')).toBe('a [2Jb\n\tc  d');
  });

  test('never makes more than its own three files or other lines than key=value, whatever it is', async () => {
    const directory = new ReportDirectory(folder, { maxReports: 1e6 });
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })),
        fc.string({ unit: 'binary' }),
        async (metadata, processTree) => {
          const {
            meta,
            minidump: dump,
            processTree: log,
          } = await directory.keep({ metadata, minidump, processTree }, 3);
          const lines = readFileSync(meta, 'utf8').split('\n');
          expect(lines.slice(-2)).toEqual(['done=1', '']);
          for (const line of lines.slice(0, -1)) expect(line).toMatch(/^[\w.-]+=[^\p{Cc}]*$/u);
          expect(lines.filter((line) => line.startsWith('payload='))).toHaveLength(1);
          for (const path of [meta, dump, log]) rmSync(path);
          expect(readdirSync(folder)).toEqual([]);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('is refused without a minidump', async () => {
    const directory = new ReportDirectory(folder);
    for (const nothing of ['', 'MDM', 'ELF.....']) {
      const given = { ...report, minidump: Buffer.from(nothing) };
      await expect(directory.keep(given, 3)).rejects.toMatchObject({ code: Code.InvalidArgument });
    }
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('nothing half-written', () => {
  test('is left when a file cannot be written to its end', () => {
    // Node.js ignores SIGXFSZ: a write beyond the limit fails with EFBIG, as one to a full disk would with ENOSPC.
    const program = `
      import { ReportDirectory } from './src/report-directory.ts';
      const minidump = Buffer.alloc(1 << 20);
      minidump.write('MDMP');
      const report = { metadata: {}, minidump, processTree: '' };
      await new ReportDirectory(process.argv[1]).keep(report, 3).catch(({ code }) => console.log(code));`;
    const node = [process.execPath, ...process.execArgv, '--conditions=@vm-tools/source'];
    const { stdout, stderr } = spawnSync(
      'sh',
      ['-c', 'ulimit -f 64; exec "$@"', 'sh', ...node, '--input-type=module', '-e', program, folder],
      { cwd: new URL('..', import.meta.url), encoding: 'utf8' },
    );
    expect({ stdout, stderr }).toEqual({ stdout: 'EFBIG\n', stderr: '' });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('of a process that was killed stays', async () => {
    const whole = await new ReportDirectory(folder, { now }).keep(report, 3);
    const left = ['.vm_crash.20260102.030405.00001.3.dmp.partial', 'vm_crash.20260102.030405.00002.3.dmp'];
    for (const name of [...left, 'notes.dmp']) writeFileSync(join(folder, name), '');
    mkdirSync(join(folder, 'vm_crash.d'));
    const later = await new ReportDirectory(folder, { now }).keep(report, 3);
    const names = readdirSync(folder);
    expect(names).not.toEqual(expect.arrayContaining([left[0]]));
    expect(names).not.toEqual(expect.arrayContaining([left[1]]));
    expect(names).toEqual(expect.arrayContaining(['notes.dmp', 'vm_crash.d']));
    expect(readFileSync(whole.minidump)).toEqual(minidump);
    expect(readFileSync(later.minidump)).toEqual(minidump);
  });
});
