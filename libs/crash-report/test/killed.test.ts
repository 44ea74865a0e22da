import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { CrashReportSchema } from '@vm-tools/vm-rpc/vm-crash';
import { beforeEach, expect, test } from 'vitest';
import { Spool } from '../src/guest/index.ts';
import { ReportDirectory } from '../src/index.ts';

// Processes that are killed in the middle of writing a report: before each of their steps, one process after the other.

const STEPS = `
  import fs from 'node:fs';
  import { syncBuiltinESMExports } from 'node:module';
  let left = Number(process.argv[2]);
  const step = () => { if (left-- === 0) process.kill(process.pid, 'SIGKILL'); };
  for (const name of ['mkdir', 'open', 'readdir', 'rename', 'rm', 'statfs']) {
    const call = fs.promises[name];
    fs.promises[name] = async (...args) => {
      step();
      const result = await call(...args);
      if (name === 'open') inSteps(result);
      return result;
    };
  }
  function inSteps(file) {
    const sync = file.sync.bind(file);
    file.sync = () => (step(), sync());
    file.writeFile = async (content) => {
      const bytes = Buffer.from(content);
      step();
      await file.write(bytes, 0, bytes.length >> 1);
      step();
      await file.write(bytes, bytes.length >> 1);
    };
  }
  syncBuiltinESMExports();
  const minidump = Buffer.alloc(100_000, 'MDMP');
  const report = { metadata: { exec_name: 'editor' }, minidump, processTree: 'init\\n' };
`;
const minidump = Buffer.alloc(100_000, 'MDMP');
const report = { metadata: { exec_name: 'editor' }, minidump, processTree: 'init\n' };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-tools-crash-killed-'));
  return () => rmSync(folder, { recursive: true });
});

/** Runs a program that ends with `writes`, killed before its first step, its second... until it is through. @returns how often it was killed */
async function killAtEachStep(writes: string, look: () => Promise<void> | void): Promise<number> {
  const flags = [
    '--conditions=@vm-tools/source',
    '--disable-warning=ExperimentalWarning',
    '--input-type=module',
  ];
  for (let steps = 0; ; steps++) {
    const args = [...flags, '-e', `${STEPS}${writes}`, folder, `${steps}`];
    const { signal, status, stderr } = spawnSync(process.execPath, args, {
      cwd: join(import.meta.dirname, '..'),
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: signal === 'SIGKILL' ? null : 0, stderr: '' });
    await look();
    if (status === 0) return steps;
  }
}

test('on the host leave no half report that looks like a whole one, and the next removes what they left', async () => {
  const ending = (suffix: string) => readdirSync(folder).filter((name) => name.endsWith(suffix));
  const expectWhole = (meta: string) => {
    const lines = readFileSync(join(folder, meta), 'utf8').trimEnd().split('\n');
    expect(lines.at(-1)).toBe('done=1');
    const file = (key: string) =>
      lines.find((line) => line.startsWith(`${key}=`))?.slice(key.length + 1) ?? '';
    expect(readFileSync(join(folder, file('payload'))).equals(minidump)).toBe(true);
    expect(readFileSync(join(folder, file('upload_text_process_tree')), 'utf8')).toBe('init\n');
  };
  const writes = `
    const { ReportDirectory } = await import('./src/report-directory.ts');
    await new ReportDirectory(process.argv[1]).keep(report, 3);`;
  const kills = await killAtEachStep(writes, async () => {
    for (const meta of ending('.meta')) expectWhole(meta);
    const before = ending('.meta').length;
    await new ReportDirectory(folder, { maxReports: 1000 }).keep(report, 3);
    // Of what was killed, all or nothing is there; and of what was not.
    expect(ending('.meta')).toHaveLength(before + 1);
    expect(readdirSync(folder)).toHaveLength(3 * ending('.meta').length);
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
  });
  // Three files, each opened, written in two halves and synced; three renames; the directory.
  expect(kills).toBeGreaterThanOrEqual(3 * 4 + 3 + 2);
});

test('in the guest leave no half report that would be sent, and the next removes what they left', async () => {
  const spool = join(folder, 'spool');
  const writes = `
    const { Spool } = await import('./src/guest/spool.ts');
    await new Spool(process.argv[1] + '/spool').put(report);`;
  const kills = await killAtEachStep(writes, async () => {
    expect(await new Spool(spool).put(report)).toBe(true);
    const names = readdirSync(spool);
    expect(names.length === 1 || names.length === 2).toBe(true);
    for (const name of names) {
      expect(name).toMatch(/^\d+-[0-9a-f]+\.crash$/);
      const read = fromBinary(CrashReportSchema, readFileSync(join(spool, name)));
      expect(Buffer.from(read.minidump).equals(minidump)).toBe(true);
      rmSync(join(spool, name));
    }
  });
  expect(kills).toBeGreaterThanOrEqual(4 + 1);
});
