import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { close, constants, ofdSetLock, open } from '@vm-tools/linux';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Name } from '../name.ts';
import { LockStatus, LockType, OpenFlags } from '../wire/flags.ts';
import { type HostFile, HostFileSystem } from './host-file-system.ts';
import type { HostNode } from './host-node.ts';

let root: string;
let fs: HostFileSystem;
let node: HostNode;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'p9-lock-'));
  writeFileSync(join(root, 'file'), 'x'.repeat(100));
  fs = new HostFileSystem({ root });
  node = fs.walk(fs.attach({ nUname: 0xffffffff }) as HostNode, Name.from('file')) as HostNode;
});

afterEach(() => {
  fs[Symbol.dispose]();
  rmSync(root, { recursive: true });
});

const openFile = () => fs.open(node, OpenFlags.readWrite) as HostFile;

function lock(
  file: HostFile,
  procId: number,
  type: number,
  { start = 0n, length = 0n, clientId = 'guest' } = {},
): number {
  return fs.lock(file, { type, flags: 0, start, length, procId, clientId });
}

/** Whether another process of the host could take a write lock on the whole file. */
function isFreeForHost(): boolean {
  const fd = open(join(root, 'file'), constants.O_RDWR);
  const failed = ofdSetLock(fd, constants.F_WRLCK, 0, 0);
  close(fd);
  return failed === 0;
}

describe('record locks', () => {
  test('exclude other processes and other clients, and the host; not the process itself through another fid', () => {
    const first = openFile();
    const second = openFile();
    expect(lock(first, 1, LockType.write)).toBe(LockStatus.success);
    expect(lock(second, 1, LockType.write)).toBe(LockStatus.success);
    expect(lock(second, 2, LockType.write)).toBe(LockStatus.blocked);
    expect(lock(second, 1, LockType.read, { clientId: 'other guest' })).toBe(LockStatus.blocked);
    expect(isFreeForHost()).toBe(false);
    expect(lock(second, 1, LockType.unlock)).toBe(LockStatus.success);
    expect(isFreeForHost()).toBe(true);
  });

  test('are shared when they are read locks, and kept apart by range', () => {
    const file = openFile();
    expect(lock(file, 1, LockType.read, { length: 10n })).toBe(LockStatus.success);
    expect(lock(file, 2, LockType.read, { length: 10n })).toBe(LockStatus.success);
    expect(lock(file, 2, LockType.write, { start: 10n, length: 5n })).toBe(LockStatus.success);
    expect(lock(file, 3, LockType.write, { start: 9n, length: 1n })).toBe(LockStatus.blocked);
    expect(lock(file, 3, LockType.write, { start: 15n })).toBe(LockStatus.success);
  });

  test('go with the last open file that they were taken through', () => {
    const first = openFile();
    const second = openFile();
    lock(first, 1, LockType.write, { length: 1n });
    lock(second, 1, LockType.write, { start: 50n, length: 1n });
    fs.close(first);
    expect(isFreeForHost()).toBe(false);
    fs.close(second);
    expect(isFreeForHost()).toBe(true);
  });

  test('are told to who asks: the range and kind that stand in the way', () => {
    const file = openFile();
    const request = { flags: 0, start: 0n, length: 0n, procId: 2, clientId: 'guest' };
    expect(fs.getlock(file, { ...request, type: LockType.write })).toMatchObject({ type: LockType.unlock });
    lock(file, 1, LockType.write, { start: 7n, length: 3n });
    expect(fs.getlock(file, { ...request, type: LockType.read })).toMatchObject({
      type: LockType.write,
      start: 7n,
      length: 3n,
    });
    expect(fs.getlock(file, { ...request, type: LockType.read, procId: 1 })).toMatchObject({
      type: LockType.unlock,
    });
  });

  test('are told to Linux, which always asks by the type of an unlock: by the others as of a write lock', () => {
    const file = openFile();
    const request = { type: LockType.unlock, flags: 0, start: 0n, length: 0n, procId: 2, clientId: 'guest' };
    lock(file, 1, LockType.read, { start: 7n, length: 3n });
    expect(fs.getlock(file, request)).toMatchObject({ type: LockType.read, start: 7n, length: 3n });
    expect(fs.getlock(file, { ...request, procId: 1 })).toMatchObject({ type: LockType.unlock });
  });

  test('of a kind that does not exist are refused', () => {
    expect(lock(openFile(), 1, 3)).toBe(-22);
  });
});
