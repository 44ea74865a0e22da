import { lstatSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Name } from '../name.ts';
import { HostFileSystem } from './host-file-system.ts';
import type { HostNode } from './host-node.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'p9-new-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const NO_ID = 0xffffffff;
const owner = (name: string) => {
  const { uid, gid, mode } = lstatSync(join(root, name));
  return { uid, gid, mode: mode & 0o7777 };
};

function makeOneOfEach(nUname: number, gid: number): void {
  const fs = new HostFileSystem({
    root,
    uidMap: new Map([[20_000, 1000]]),
    gidMap: new Map([[30_000, 100]]),
  });
  const top = fs.attach({ nUname }) as HostNode;
  const created = fs.create(top, Name.from('file'), 2, 0o6755, gid);
  if (typeof created === 'number') throw new Error(`create: ${created}`);
  fs.close(created.file);
  fs.mkdir(top, Name.from('folder'), 0o1777, gid);
  fs.symlink(top, Name.from('link'), Name.from('anywhere'), gid);
  const below = fs.walk(top, Name.from('folder')) as HostNode;
  fs.mknod(below, Name.from('fifo'), 0o010666, 0, 0, gid);
  fs[Symbol.dispose]();
}

const isRoot = process.geteuid?.() === 0;
const server = { uid: process.geteuid?.() ?? -1, gid: process.getegid?.() ?? -1 };

// What root can give away, others keep: either way is asserted, by whoever runs this.
test('new files belong to the user and group of the client, through the maps, where the server may give them away', () => {
  makeOneOfEach(1000, 100);
  const expected = isRoot ? { uid: 20_000, gid: 30_000 } : server;
  // Whatever the process's umask is, and although a change of owner clears set-id bits.
  expect(owner('file')).toEqual({ ...expected, mode: 0o6755 });
  expect(owner('folder')).toEqual({ ...expected, mode: 0o1777 });
  expect(owner('link')).toMatchObject(expected);
  expect(owner('folder/fifo')).toEqual({ ...expected, mode: 0o666 });
});

test('new files belong to the server when the client names neither user nor group', () => {
  makeOneOfEach(NO_ID, NO_ID);
  expect(owner('file')).toEqual({ ...server, mode: 0o6755 });
  expect(owner('folder')).toEqual({ ...server, mode: 0o1777 });
});
