import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { close, constants, Errno, open, setfsgid, setfsuid, setThreadGroups } from './index.ts';

/** Uid, Gid (the last of four is the filesystem's) and Groups of a thread. */
function identity(thread = 'thread-self'): { uid: string; gid: string; groups: string } {
  const status = readFileSync(`/proc/${thread}/status`, 'latin1');
  const line = (name: string) => new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, 'm').exec(status)?.[1] ?? '';
  const [uid = '', gid = ''] = ['Uid', 'Gid'].map((name) => line(name).split(/\s+/)[3]);
  return { uid, gid, groups: line('Groups') };
}

let before: ReturnType<typeof identity>;
beforeEach(() => {
  before = identity();
});
afterEach(() => {
  expect(restore()).toEqual([0, 0, 0]);
  expect(identity()).toEqual(before);
});

const restore = () => [
  setfsuid(process.geteuid?.() ?? 0),
  setfsgid(process.getegid?.() ?? 0),
  setThreadGroups(Uint32Array.from(before.groups.split(' ').filter(Boolean), Number)),
];

test('a thread works with files as a user, a group and groups, and no other thread does', () => {
  expect(process.geteuid?.(), 'needs root: run the tests as root').toBe(0);
  const folder = mkdtempSync(join(tmpdir(), 'vm-tools-linux-'));
  try {
    writeFileSync(join(folder, 'secret'), '', { mode: 0o600 });
    expect([setThreadGroups(Uint32Array.of(7, 70_000)), setfsgid(4_000_000_000), setfsuid(1234)]).toEqual([
      0, 0, 0,
    ]);
    expect(identity()).toEqual({ uid: '1234', gid: '4000000000', groups: '7 70000' });
    expect(identity(`self/task/${process.pid}`)).toEqual(identity());
    expect(() => close(open(join(folder, 'secret'), constants.O_RDONLY))).toThrow(
      expect.objectContaining({ code: 'EACCES' }),
    );
    expect(setfsuid(0)).toBe(0);
    close(open(join(folder, 'secret'), constants.O_RDONLY));
  } finally {
    restore();
    rmSync(folder, { recursive: true });
  }
});

test('a worker that is there already stays who it was', async () => {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     const { readFileSync } = require('node:fs');
     const tell = () => parentPort.postMessage(readFileSync('/proc/thread-self/status', 'latin1'));
     parentPort.on('message', tell);
     tell();`,
    { eval: true },
  );
  const said = () => new Promise<string>((resolve) => worker.once('message', resolve));
  const first = await said();
  expect(setfsuid(1234)).toBe(0);
  worker.postMessage('again');
  const second = await said();
  const ids = (status: string) => /^Uid:.*$/m.exec(status)?.[0];
  expect(ids(second)).toBe(ids(first));
  await worker.terminate();
});

test('an id that is none, and a list that is none, is EINVAL', () => {
  expect(setfsuid(0xffffffff)).toBe(-Errno.EINVAL);
  expect(setfsgid(-1)).toBe(-Errno.EINVAL);
  expect(setThreadGroups(new Uint8Array(3) as unknown as Uint32Array)).toBe(-Errno.EINVAL);
});

test('who may not, is told so', () => {
  const program = `import * as linux from '@vm-tools/linux';
    const { setfsuid, setfsgid, setThreadGroups } = linux;
    console.log([setfsuid(0), setfsuid(4321), setfsgid(0), setThreadGroups(Uint32Array.of(1))].join());`;
  const args = [
    '--conditions=@vm-tools/source',
    '--disable-warning=ExperimentalWarning',
    '--input-type=module',
  ];
  // Another user, who may yet read the sources, wherever they lie.
  const other = ['--reuid', '4321', '--regid', '4321', '--clear-groups'];
  const reads = ['--inh-caps', '+dac_override', '--ambient-caps', '+dac_override'];
  const command = [...other, ...reads, process.execPath, ...args, '--eval', program];
  const { stdout, stderr } = spawnSync('setpriv', command, {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  expect(stdout).toBe(`${-Errno.EPERM},0,${-Errno.EPERM},${-Errno.EPERM}\n`);
});
