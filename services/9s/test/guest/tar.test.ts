import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { bootGuest, type Guest } from '@vm-tools/guest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { requireRoot, SharedFolder } from './shared-folder.ts';
import { describeTree, makeTree } from './tree.ts';

let guest: Guest;
let folder: SharedFolder;
let source: string;
let expected: string[];

// Sorted, so that equal trees give equal archives.
const pack = ['--create', '--format=gnu', '--sort=name', '--numeric-owner'];
const unpack = ['--extract', '--numeric-owner', '--preserve-permissions', '--warning=no-timestamp'];

beforeAll(async () => {
  requireRoot('owners and device nodes');
  folder = new SharedFolder(['--device-nodes']);
  source = join(folder.bench.folder, 'source');
  mkdirSync(source);
  makeTree(source);
  expected = describeTree(source);
  execFileSync('tar', [...pack, '-C', source, '-f', join(folder.root, 'host.tar'), '.']);
  await folder.listening;
  guest = await bootGuest({ packages: ['tar'], p9: { p9: folder.socket } });
  await guest.mount9p('p9', '/mnt', { msize: 1_048_576 });
});
afterAll(async () => {
  await guest?.[Symbol.asyncDispose]();
  await folder?.close();
});

it('a tree that the guest unpacks onto 9P is on the host as it was packed', {
  timeout: 180_000,
}, async () => {
  expect(await guest.run(['tar', '--version'])).toContain('GNU tar');
  await guest.run(['mkdir', '/mnt/unpacked']);
  const { status, stderr } = await guest.exec(
    ['tar', ...unpack, '-C', '/mnt/unpacked', '-f', '/mnt/host.tar'],
    { timeoutMs: 120_000 },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const found = describeTree(join(folder.root, 'unpacked'));
  expect(found).toEqual(expected);
  expect(found.length).toBeGreaterThan(700);
});

it('packed again by the guest it gives the same archive, byte by byte', { timeout: 180_000 }, async () => {
  const { status, stderr } = await guest.exec(
    ['tar', ...pack, '-C', '/mnt/unpacked', '-f', '/mnt/guest.tar', '.'],
    { timeoutMs: 120_000 },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(statSync(join(folder.root, 'guest.tar')).size).toBeGreaterThan(30_000_000);
  const [ours, theirs] = ['guest.tar', 'host.tar'].map((name) => readFileSync(join(folder.root, name)));
  // Not toEqual: a difference would be printed, of 30 MB.
  expect(theirs && ours?.equals(theirs)).toBe(true);
  expect(folder.nineS.stderr).not.toMatch(/ (warn|error): /);
});
