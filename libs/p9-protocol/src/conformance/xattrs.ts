import { Errno } from '../errno.ts';
import { XattrFlags } from '../wire/flags.ts';
import * as assert from './assert.ts';
import {
  ask,
  askForError,
  assertBytes,
  check as checkOf,
  FREE_FID,
  pattern,
  refuses,
  type Subject,
  text,
  utf8,
} from './check.ts';

/** Txattrwalk and Txattrcreate. */

const check = (name: string, run: (subject: Subject) => Promise<void>) => checkOf(name, run, 'xattr');

async function listed({ root }: Subject, path: string): Promise<string[]> {
  return (await root.listxattr(path))
    .map(String)
    .filter((name) => name.startsWith('user.'))
    .sort();
}

export const xattrChecks = [
  check('extended attributes are set, read, listed, replaced and removed', async (subject) => {
    const { root } = subject;
    await root.writeFile('a', utf8(''));
    await root.mkdir('d');
    for (const path of ['a', 'd']) {
      assert.deepEqual(await listed(subject, path), []);
      await root.setxattr(path, 'user.one', utf8('first'));
      await root.setxattr(path, 'user.two', pattern(2000));
      assert.deepEqual(await listed(subject, path), ['user.one', 'user.two']);
      assert.equal(text(await root.getxattr(path, 'user.one')), 'first');
      assertBytes(await root.getxattr(path, 'user.two'), pattern(2000));
      await root.setxattr(path, 'user.one', utf8('second'));
      assert.equal(text(await root.getxattr(path, 'user.one')), 'second');
      await root.removexattr(path, 'user.one');
      assert.deepEqual(await listed(subject, path), ['user.two']);
    }
  }),

  check('what is not there is ENODATA', async ({ root }) => {
    await root.writeFile('a', utf8(''));
    await refuses(root.getxattr('a', 'user.none'), 'ENODATA');
    await refuses(root.removexattr('a', 'user.none'), 'ENODATA');
    await refuses(root.setxattr('a', 'user.none', utf8('x'), { flags: XattrFlags.replace }), 'ENODATA');
    await refuses(root.getxattr('a', 'user.none'), 'ENODATA');
  }),

  check('with `create` what is there is EEXIST', async ({ root }) => {
    await root.writeFile('a', utf8(''));
    await root.setxattr('a', 'user.a', utf8('1'), { flags: XattrFlags.create });
    await refuses(root.setxattr('a', 'user.a', utf8('2'), { flags: XattrFlags.create }), 'EEXIST');
    await root.setxattr('a', 'user.a', utf8('3'), { flags: XattrFlags.replace });
    assert.equal(text(await root.getxattr('a', 'user.a')), '3');
  }),

  check('a value of no bytes', async (subject) => {
    const { root } = subject;
    await root.writeFile('a', utf8(''));
    await root.setxattr('a', 'user.empty', utf8(''));
    assert.equal((await root.getxattr('a', 'user.empty')).length, 0);
    assert.deepEqual(await listed(subject, 'a'), ['user.empty']);
  }),

  check('names that are not UTF-8', async ({ root }) => {
    await root.writeFile('a', utf8(''));
    const name = new Uint8Array([...utf8('user.'), 0xff, 0x80]);
    await root.setxattr('a', name, utf8('x'));
    assert.equal(text(await root.getxattr('a', name)), 'x');
    const names = await root.listxattr('a');
    assert.ok(names.some((found) => found.toBytes().join() === name.join()));
  }),

  check('a value is read in parts', async ({ client, root }) => {
    await root.writeFile('a', utf8(''));
    await root.setxattr('a', 'user.a', utf8('0123456789'));
    const node = await root.walk('a');
    const walk = { message: 'Txattrwalk', fid: node.fid, newfid: FREE_FID, name: utf8('user.a') } as const;
    assert.equal((await ask(client, walk, 'Rxattrwalk')).size, 10n);
    for (const [offset, count, expected] of [
      [0n, 4, '0123'],
      [4n, 100, '456789'],
      [10n, 1, ''],
      [1n << 60n, 1, ''],
    ] as const) {
      const { data } = await ask(client, { message: 'Tread', fid: FREE_FID, offset, count }, 'Rread');
      assert.equal(text(data), expected);
    }
    for (const request of [
      { message: 'Twrite', fid: FREE_FID, offset: 0n, data: utf8('x') },
      { message: 'Treaddir', fid: FREE_FID, offset: 0n, count: 100 },
    ] as const) {
      assert.equal(await askForError(client, request), Errno.EBADF);
    }
    await ask(client, { message: 'Tclunk', fid: FREE_FID }, 'Rclunk');
    await node.clunk();
  }),

  check('a value is set only when all of it was written', async (subject) => {
    const { client, root } = subject;
    await root.writeFile('a', utf8(''));
    const begin = async (size: bigint) => {
      await ask(client, { message: 'Twalk', fid: root.fid, newfid: FREE_FID, wnames: [utf8('a')] }, 'Rwalk');
      const request = {
        message: 'Txattrcreate',
        fid: FREE_FID,
        name: utf8('user.a'),
        size,
        flags: 0,
      } as const;
      await ask(client, request, 'Rxattrcreate');
    };
    const write = (offset: bigint, data: string) => {
      return { message: 'Twrite', fid: FREE_FID, offset, data: utf8(data) } as const;
    };
    await begin(4n);
    await ask(client, write(0n, '12'), 'Rwrite');
    assert.notEqual(await askForError(client, { message: 'Tclunk', fid: FREE_FID }), 0);
    assert.deepEqual(await listed(subject, 'a'), []);
    await begin(4n);
    assert.notEqual(await askForError(client, write(0n, '12345')), 0);
    assert.notEqual(await askForError(client, write(100n, '1')), 0);
    assert.equal(
      await askForError(client, { message: 'Tread', fid: FREE_FID, offset: 0n, count: 1 }),
      Errno.EBADF,
    );
    await ask(client, write(0n, '12'), 'Rwrite');
    await ask(client, write(2n, '34'), 'Rwrite');
    await ask(client, { message: 'Tclunk', fid: FREE_FID }, 'Rclunk');
    assert.equal(text(await root.getxattr('a', 'user.a')), '1234');
  }),

  check('a value may be as large as Linux lets it be, and no larger', async ({ client, root }) => {
    await root.writeFile('a', utf8(''));
    await ask(client, { message: 'Twalk', fid: root.fid, newfid: FREE_FID, wnames: [utf8('a')] }, 'Rwalk');
    const request = { message: 'Txattrcreate', fid: FREE_FID, name: utf8('user.a'), flags: 0 } as const;
    for (const size of [65537n, 1n << 32n, (1n << 64n) - 1n]) {
      assert.equal(await askForError(client, { ...request, size }), Errno.E2BIG);
    }
    await ask(client, { message: 'Tclunk', fid: FREE_FID }, 'Rclunk');
  }),

  check('an unusable name or flag is EINVAL, and a fid in use EBADF', async ({ client, root }) => {
    await root.writeFile('a', utf8(''));
    const file = await root.open('a');
    const node = await root.walk('a');
    const create = {
      message: 'Txattrcreate',
      fid: node.fid,
      name: utf8('user.a'),
      size: 1n,
      flags: 0,
    } as const;
    assert.equal(await askForError(client, { ...create, name: utf8('') }), Errno.EINVAL);
    assert.equal(await askForError(client, { ...create, name: utf8('user.\0') }), Errno.EINVAL);
    assert.equal(await askForError(client, { ...create, flags: 4 }), Errno.EINVAL);
    assert.equal(await askForError(client, { ...create, fid: file.fid }), Errno.EINVAL);
    const walk = { message: 'Txattrwalk', fid: node.fid, newfid: file.fid, name: utf8('user.a') } as const;
    assert.equal(await askForError(client, walk), Errno.EBADF);
    await file.clunk();
    await node.clunk();
  }),
];
