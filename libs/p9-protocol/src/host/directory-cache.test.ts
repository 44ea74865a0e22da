import { mkdirSync, renameSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { descriptorsInto, scratchDirectory } from '../../test/scratch-directory.ts';
import { Errno } from '../errno.ts';
import { Name } from '../name.ts';
import { QidType } from '../wire/qid.ts';
import { HostFileSystem } from './host-file-system.ts';
import type { HostNode } from './host-node.ts';

const NOBODY_NAMED = 0xffffffff;

let root: string;
let fs: HostFileSystem;
let top: HostNode;

beforeEach(() => {
  root = scratchDirectory();
  mkdirSync(join(root, 'outer/inner/innermost'), { recursive: true });
  writeFileSync(join(root, 'outer/inner/file'), 'content');
  fs = new HostFileSystem({ root });
  top = attach(NOBODY_NAMED);
});
afterEach(() => fs[Symbol.dispose]());

function attach(nUname: number): HostNode {
  const node = fs.attach({ nUname });
  if (typeof node === 'number') throw new Error(`attach: ${node}`);
  return node;
}

/** Walks as Twalk does: every node on the way is let go of. A node, or the negative errno of the first name that fails. */
function walk(path: string, from = top): HostNode | number {
  let node = from;
  fs.retain(node);
  for (const name of path.split('/')) {
    const next = fs.walk(node, Name.from(name));
    fs.release(node);
    if (typeof next === 'number') return next;
    node = next;
  }
  return node;
}

function node(path: string, from = top): HostNode {
  const found = walk(path, from);
  if (typeof found === 'number') throw new Error(`walk to ${path}: ${found}`);
  return found;
}

/** So often that all directories on the way are kept. */
function walkOften(path: string, from = top): void {
  for (let i = 0; i < 3; i++) fs.release(node(path, from));
}

const held = () =>
  descriptorsInto(root)
    .map((path) => path.slice(root.length + 1))
    .sort();

describe('directories that are walked through', () => {
  test('once are let go of', () => {
    fs.release(node('outer/inner/file'));
    expect(held()).toEqual(['']);
  });

  test('again are kept, and files are not', () => {
    walkOften('outer/inner/file');
    expect(held()).toEqual(['', 'outer', 'outer/inner']);
    fs.release(node('outer/inner/file'));
    expect(held()).toEqual(['', 'outer', 'outer/inner']);
  });

  test('are the same node as long as they are kept', () => {
    walkOften('outer/inner');
    const [one, other] = [node('outer/inner'), node('outer/inner')];
    expect(one).toBe(other);
    fs.release(one);
    expect(fs.walk(other, Name.from('none'))).toBe(-Errno.ENOENT);
    expect(fs.walk(other, Name.from('file'))).toMatchObject({ isDirectory: false });
  });

  test('are let go of with the last session', () => {
    const user = attach(1000);
    walkOften('outer/inner/file');
    walkOften('outer/inner/file', user);
    expect(held()).toHaveLength(6);
    fs.release(user);
    expect(held()).toEqual(['', 'outer', 'outer/inner']);
    fs.release(top);
    expect(held()).toEqual(['']);
    fs[Symbol.dispose]();
    expect(descriptorsInto(root)).toEqual([]);
    fs = new HostFileSystem({ root });
  });

  test('are let go of with the directory that they were reached from', () => {
    const outer = node('outer');
    walkOften('inner/innermost', outer);
    expect(held()).toEqual(['', 'outer', 'outer/inner', 'outer/inner/innermost']);
    fs.release(outer);
    expect(held()).toEqual(['']);
  });

  test('belong to the user who walks', () => {
    const [one, other] = [attach(1000), attach(2000)];
    walkOften('outer/inner', one);
    walkOften('outer/inner', other);
    expect(node('outer/inner', one).user).toBe(1000);
    expect(node('outer/inner', other).user).toBe(2000);
    expect(node('outer/inner').user).toBe(NOBODY_NAMED);
  });

  test('are not kept when they lie on another mount', () => {
    const system = new HostFileSystem({ root: '/' });
    const whole = system.attach({ nUname: NOBODY_NAMED }) as HostNode;
    const before = descriptorsInto('/proc/sys').length;
    for (let i = 0; i < 3; i++) {
      const proc = system.walk(whole, Name.from('proc')) as HostNode;
      const sys = system.walk(proc, Name.from('sys')) as HostNode;
      system.release(proc);
      expect(descriptorsInto('/proc/sys')).toHaveLength(before + 1);
      system.release(sys);
    }
    expect(descriptorsInto('/proc/sys')).toHaveLength(before);
    system[Symbol.dispose]();
  });

  test('are at most 128', () => {
    for (let i = 0; i < 400; i++) mkdirSync(join(root, `outer/${i}`));
    for (let i = 0; i < 400; i++) walkOften(`outer/${i}`);
    expect(held().length).toBeGreaterThan(64);
    expect(held().length).toBeLessThanOrEqual(1 + 128);
    for (let i = 0; i < 400; i++) fs.release(node(`outer/${i}`));
  });
});

describe('what takes the place of a directory that is kept', () => {
  beforeEach(() => walkOften('outer/inner/file'));

  test('is found when it is another directory', () => {
    const before = node('outer/inner');
    renameSync(join(root, 'outer/inner'), join(root, 'outer/away'));
    mkdirSync(join(root, 'outer/inner'));
    const after = node('outer/inner');
    expect(after.qid.path).not.toBe(before.qid.path);
    expect(walk('outer/inner/file')).toBe(-Errno.ENOENT);
    expect(fs.walk(before, Name.from('file'))).toBeTypeOf('object');
    expect(walk('outer/away/file')).toBeTypeOf('object');
  });

  test('is not followed when it is a symlink', () => {
    renameSync(join(root, 'outer/inner'), join(root, 'outer/away'));
    symlinkSync('away', join(root, 'outer/inner'));
    const link = node('outer/inner');
    expect(link.qid.type).toBe(QidType.symlink);
    expect(walk('outer/inner/file')).toBe(-Errno.ENOTDIR);
  });

  test('is a file, and stays one', () => {
    renameSync(join(root, 'outer/inner'), join(root, 'outer/away'));
    writeFileSync(join(root, 'outer/inner'), '');
    walkOften('outer/inner');
    expect(node('outer/inner').qid.type).toBe(QidType.file);
    expect(held().filter((path) => path === 'outer/away')).toEqual([]);
  });

  test('is nothing after somebody of the host removed it', () => {
    renameSync(join(root, 'outer/inner'), join(root, 'elsewhere'));
    expect(walk('outer/inner')).toBe(-Errno.ENOENT);
    expect(held()).toEqual(['', 'outer']);
  });

  test('is nothing after a client removed it', () => {
    walkOften('outer/inner/innermost');
    const inner = node('outer/inner');
    expect(fs.unlinkat(inner, Name.from('innermost'), 0x200)).toBe(0);
    expect(held().filter((path) => path.includes('innermost'))).toEqual([]);
    expect(walk('outer/inner/innermost')).toBe(-Errno.ENOENT);
  });

  test('is the same one under its new name after a client renamed it', () => {
    const outer = node('outer');
    const { path } = node('outer/inner').qid;
    expect(fs.renameat(outer, Name.from('inner'), outer, Name.from('renamed'))).toBe(0);
    expect(walk('outer/inner')).toBe(-Errno.ENOENT);
    walkOften('outer/renamed/file');
    expect(node('outer/renamed').qid.path).toBe(path);
  });

  test('has the version of its last change', () => {
    const before = node('outer/inner').qid.version;
    writeFileSync(join(root, 'outer/inner/new'), '');
    rmdirSync(join(root, 'outer/inner/innermost'));
    expect(node('outer/inner').qid.version).not.toBe(before);
  });
});
