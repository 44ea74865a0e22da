import { chownSync, lstatSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { constants, socketpair } from '@vm-tools/linux';
import { afterEach, describe, expect, test } from 'vitest';
import { askForError, refuses, text, utf8 } from '../src/conformance/check.ts';
import { Errno } from '../src/errno.ts';
import { HostFileSystem } from '../src/host/host-file-system.ts';
import type { HostFileSystemOptions } from '../src/host/host-options.ts';
import { serveThreaded } from '../src/host/serve-threaded.ts';
import { OpenFlags } from '../src/wire/flags.ts';
import { scratchDirectory } from './scratch-directory.ts';
import { type ServedClient, serveHostToClient } from './served.ts';

const open: ServedClient[] = [];

afterEach(async () => {
  for (const served of open.splice(0)) await served.end();
});

async function served(options: HostFileSystemOptions): Promise<ServedClient> {
  const made = await serveHostToClient('stream', options);
  open.push(made);
  return made;
}

describe('a read-only directory', () => {
  test('is read in all ways', async () => {
    const path = scratchDirectory();
    mkdirSync(join(path, 'd'));
    writeFileSync(join(path, 'd', 'f'), 'content');
    const { root } = await served({ root: path, readOnly: true });
    expect(text(await root.readFile('d/f'))).toBe('content');
    expect((await root.getattr('d/f')).size).toBe(7);
    await root.statfs();
    for await (const entry of root.readdir('d')) expect(['.', '..', 'f']).toContain(String(entry.name));
  });

  test('refuses every change with EROFS, and stays as it is', async () => {
    const path = scratchDirectory();
    mkdirSync(join(path, 'd'));
    writeFileSync(join(path, 'f'), 'content');
    const before = statSync(join(path, 'f'));
    const { client, root } = await served({ root: path, readOnly: true });
    const file = await root.walk('f');
    const changes: [string, () => Promise<unknown>][] = [
      ['open to write', () => root.open('f', { flags: OpenFlags.writeOnly })],
      ['open to read and write', () => root.open('f', { flags: OpenFlags.readWrite })],
      ['open to truncate', () => root.open('f', { flags: OpenFlags.truncate })],
      ['create', () => root.create('new')],
      ['create what is there', () => root.create('f', { flags: OpenFlags.readWrite })],
      ['mkdir', () => root.mkdir('new')],
      ['symlink', () => root.symlink('x', 'new')],
      ['mknod', () => root.mknod('new', { mode: 0o100644 })],
      ['link', () => root.link(file, 'new')],
      ['rename', () => file.rename(root, 'new')],
      ['renameat', () => root.renameat('f', 'new')],
      ['unlink', () => root.unlink('f')],
      ['rmdir', () => root.unlink('d', { directory: true })],
      ['chmod', () => root.setattr('f', { mode: 0o600 })],
      ['truncate', () => root.setattr('f', { size: 0 })],
      ['utimes', () => root.setattr('f', { mtime: 'now' })],
      ['setxattr', () => root.setxattr('f', 'user.a', utf8('x'))],
      ['removexattr', () => root.removexattr('f', 'user.a')],
      ['remove', async () => (await root.walk('f')).remove()],
    ];
    for (const [what, change] of changes) {
      await change().then(
        () => expect.fail(`${what} was done`),
        (error: { code?: string }) => expect([what, error.code]).toStrictEqual([what, 'EROFS']),
      );
    }
    // A file opened to read is not written, whatever the client says.
    const opened = await root.open('f');
    const write = { message: 'Twrite', fid: opened.fid, offset: 0n, data: utf8('x') } as const;
    expect([Errno.EBADF, Errno.EROFS]).toContain(await askForError(client, write));
    expect(readdirSync(path).sort()).toStrictEqual(['d', 'f']);
    const { mtimeMs, ctimeMs, mode, size } = statSync(join(path, 'f'));
    expect({ mtimeMs, ctimeMs, mode, size }).toStrictEqual({
      mtimeMs: before.mtimeMs,
      ctimeMs: before.ctimeMs,
      mode: before.mode,
      size: before.size,
    });
  });
});

describe('id maps', () => {
  test('are applied in both directions; ids that are not in them are the same on both sides', async () => {
    const path = scratchDirectory();
    writeFileSync(join(path, 'mapped'), '');
    chownSync(join(path, 'mapped'), 1000, 2000);
    writeFileSync(join(path, 'other'), '');
    chownSync(join(path, 'other'), 77, 88);
    const uidMap = new Map([[1000, 5000]]);
    const gidMap = new Map([[2000, 6000]]);
    const { root } = await served({ root: path, uidMap, gidMap });
    const mapped = await root.getattr('mapped');
    expect([mapped.uid, mapped.gid]).toStrictEqual([5000, 6000]);
    const other = await root.getattr('other');
    expect([other.uid, other.gid]).toStrictEqual([77, 88]);
    await root.setattr('other', { uid: 5000, gid: 6000 });
    const { uid, gid } = statSync(join(path, 'other'));
    expect([uid, gid]).toStrictEqual([1000, 2000]);
    await root.writeFile('new', utf8(''), { gid: 6000 });
    expect(statSync(join(path, 'new')).gid).toBe(2000);
  });

  test('that map two host ids to one are refused', () => {
    const uidMap = new Map([
      [1, 5],
      [2, 5],
    ]);
    expect(() => new HostFileSystem({ root: scratchDirectory(), uidMap })).toThrow(RangeError);
  });
});

describe('clients that are all squashed to one user', () => {
  const squash = { uid: 1234, gid: 5678 };

  test('make files for that user and group, whoever they say they are, and give none away', async () => {
    const path = scratchDirectory();
    const { client } = await served({ root: path, squash, uidMap: new Map([[1234, 1000]]) });
    for (const [index, who] of [{}, { nUname: 0 }, { nUname: 77 }, { uname: 'root' }].entries()) {
      const tree = await client.attach(who);
      for (const gid of [undefined, 0, 99]) {
        const name = `${index}-${gid}`;
        await tree.writeFile(name, utf8(''), { gid });
        await tree.mkdir(`${name}-d`, { gid });
        await tree.symlink('x', `${name}-l`, { gid });
        await tree.setattr(name, { uid: 0, gid: 0 });
        for (const made of [name, `${name}-d`, `${name}-l`]) {
          const { uid, gid } = lstatSync(join(path, made));
          expect([made, uid, gid]).toStrictEqual([made, 1234, 5678]);
          // The map is the way back alone.
          expect((await tree.getattr(made)).uid).toBe(1000);
        }
      }
    }
  });

  test('see whose the files of others are', async () => {
    const path = scratchDirectory();
    writeFileSync(join(path, 'f'), '');
    chownSync(join(path, 'f'), 44, 55);
    const { uid, gid } = await (await served({ root: path, squash })).root.getattr('f');
    expect([uid, gid]).toStrictEqual([44, 55]);
  });
});

test('device nodes are made where that is allowed, and still not opened', async () => {
  const path = scratchDirectory();
  const { root } = await served({ root: path, deviceNodes: true });
  await root.mknod('null', { mode: 0o020666, major: 1, minor: 3 });
  const { mode, rdev } = await root.getattr('null');
  expect(mode).toBe(0o020666);
  expect(rdev).toBe(0x103n);
  expect(statSync(join(path, 'null')).isCharacterDevice()).toBe(true);
  await refuses(root.open('null'), 'ENXIO');
});

test('a Treaddir too small for one entry is EINVAL, not the end', async () => {
  const { client, root } = await served({ root: scratchDirectory() });
  await root.writeFile('n'.repeat(200), utf8(''));
  const directory = await root.open('');
  const request = { message: 'Treaddir', fid: directory.fid, offset: 0n } as const;
  for (const count of [0, 1, 24]) expect(await askForError(client, { ...request, count })).toBe(Errno.EINVAL);
});

test('the umask of the server does not take bits away that the client asked for', async () => {
  const before = process.umask(0o077);
  try {
    const { root } = await served({ root: scratchDirectory() });
    await (await root.create('f', { mode: 0o666 })).clunk();
    await root.mkdir('d', { mode: 0o777 });
    await root.mknod('p', { mode: 0o010666 });
    expect((await root.getattr('f')).mode & 0o777).toBe(0o666);
    expect((await root.getattr('d')).mode & 0o777).toBe(0o777);
    expect((await root.getattr('p')).mode & 0o777).toBe(0o666);
  } finally {
    process.umask(before);
  }
});

describe('a root that is not there', () => {
  const missing = { root: '/nowhere/at all' };

  test('is an error that says so', () => {
    expect(() => new HostFileSystem(missing)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    const file = join(scratchDirectory(), 'file');
    writeFileSync(file, '');
    expect(() => new HostFileSystem({ root: file })).toThrow(expect.objectContaining({ code: 'ENOTDIR' }));
  });

  test('ends a connection in a thread with the reason', async () => {
    const [ours, theirs] = socketpair(constants.AF_UNIX, constants.SOCK_STREAM);
    const socket = new Socket({ fd: ours });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    const end = await serveThreaded(theirs, { options: missing }).ended;
    expect(end.reason).toBe('crashed');
    expect(end.message).toContain('/nowhere/at all');
    await closed;
  });
});
