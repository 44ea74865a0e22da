import { Errno } from '../errno.ts';
import type { MessageName } from '../wire/messages.ts';
import { Qid, QidType } from '../wire/qid.ts';
import * as assert from './assert.ts';
import { ask, askForError, check, exchange, FREE_FID, refuses, type Subject, utf8 } from './check.ts';

/** Tversion, Tattach, Twalk, Tclunk, Tflush, and what no message may do. */

const walk = (fid: number, newfid: number, ...names: string[]) => {
  return { message: 'Twalk', fid, newfid, wnames: names.map(utf8) } as const;
};

async function twoLevels({ root }: Subject): Promise<void> {
  await root.mkdir('d');
  await root.writeFile('d/f', utf8('content'));
}

export const treeChecks = [
  check('the root is a directory', async ({ root }) => {
    assert.equal(root.qid.type & QidType.directory, QidType.directory);
    assert.equal((await root.getattr()).mode & 0o170000, 0o040000);
  }),

  check('several attaches give the same root', async ({ client }) => {
    const [one, other] = [await client.attach(), await client.attach()];
    assert.equal(one.qid.path, other.qid.path);
    await Promise.all([one.clunk(), other.clunk()]);
  }),

  check('a qid tells files apart, and is the same whichever way a file is reached', async (subject) => {
    await twoLevels(subject);
    const { root } = subject;
    const directory = await root.walk('d');
    const [file, same] = [await root.walk('d/f'), await directory.walk('f')];
    assert.equal(file.qid.path, same.qid.path);
    assert.equal(new Set([root.qid.path, directory.qid.path, file.qid.path]).size, 3);
    assert.equal(directory.qid.type, QidType.directory);
    assert.equal(file.qid.type, QidType.file);
    assert.equal((await file.getattr()).qid.path, file.qid.path);
    for (const node of [directory, file, same]) await node.clunk();
  }),

  check('a walk gives the qid of every step', async (subject) => {
    await twoLevels(subject);
    const { client, root } = subject;
    const { wqids } = await ask(client, walk(root.fid, FREE_FID, 'd', 'f'), 'Rwalk');
    assert.deepEqual(
      wqids.map(({ type }) => type),
      [QidType.directory, QidType.file],
    );
    await ask(client, { message: 'Tclunk', fid: FREE_FID }, 'Rclunk');
  }),

  check('a walk without names makes another fid of the same file', async (subject) => {
    await twoLevels(subject);
    const { client, root } = subject;
    assert.deepEqual((await ask(client, walk(root.fid, FREE_FID), 'Rwalk')).wqids, []);
    const { qid } = await ask(client, { message: 'Tgetattr', fid: FREE_FID, mask: 0x7ffn }, 'Rgetattr');
    assert.equal(qid.path, root.qid.path);
    await ask(client, { message: 'Tclunk', fid: FREE_FID }, 'Rclunk');
    await root.getattr();
  }),

  check('a walk onto its own fid moves it', async (subject) => {
    await twoLevels(subject);
    const { client, root } = subject;
    await ask(client, walk(root.fid, FREE_FID), 'Rwalk');
    await ask(client, walk(FREE_FID, FREE_FID, 'd'), 'Rwalk');
    await ask(client, walk(FREE_FID, FREE_FID, 'f'), 'Rwalk');
    const { qid } = await ask(client, { message: 'Tgetattr', fid: FREE_FID, mask: 0x7ffn }, 'Rgetattr');
    assert.equal(qid.type, QidType.file);
    assert.equal(await askForError(client, walk(FREE_FID, FREE_FID, 'x')), Errno.ENOTDIR);
    await ask(client, { message: 'Tclunk', fid: FREE_FID }, 'Rclunk');
  }),

  check('a walk whose first name is missing is ENOENT', async ({ root }) => {
    await refuses(root.walk('missing'), 'ENOENT');
    await refuses(root.walk('missing/below'), 'ENOENT');
  }),

  check('a walk that fails later gives the qids so far and makes no fid', async (subject) => {
    await twoLevels(subject);
    const { client, root } = subject;
    assert.equal((await ask(client, walk(root.fid, FREE_FID, 'd', 'missing'), 'Rwalk')).wqids.length, 1);
    assert.equal((await ask(client, walk(root.fid, FREE_FID, 'd', 'f', 'x'), 'Rwalk')).wqids.length, 2);
    assert.equal(await askForError(client, { message: 'Tclunk', fid: FREE_FID }), Errno.EBADF);
  }),

  check('a walk onto its own fid that fails later leaves it where it was', async (subject) => {
    await twoLevels(subject);
    const { client, root } = subject;
    await ask(client, walk(root.fid, FREE_FID), 'Rwalk');
    await ask(client, walk(FREE_FID, FREE_FID, 'd', 'missing'), 'Rwalk');
    assert.equal((await ask(client, walk(FREE_FID, FREE_FID, 'd', 'f'), 'Rwalk')).wqids.length, 2);
    await ask(client, { message: 'Tclunk', fid: FREE_FID }, 'Rclunk');
  }),

  check('a walk from a file is ENOTDIR', async (subject) => {
    await twoLevels(subject);
    const file = await subject.root.walk('d/f');
    await refuses(file.walk('x'), 'ENOTDIR');
    await file.clunk();
  }),

  check('sixteen names are walked at once, and seventeen refused', async ({ client, root }) => {
    let path = '';
    for (let level = 0; level < 17; level++) {
      path += `/${level}`;
      await root.mkdir(path);
    }
    const names = Array.from({ length: 17 }, (_, level) => `${level}`);
    assert.equal(
      (await ask(client, walk(root.fid, FREE_FID, ...names.slice(0, 16)), 'Rwalk')).wqids.length,
      16,
    );
    await ask(client, { message: 'Tclunk', fid: FREE_FID }, 'Rclunk');
    assert.equal(await askForError(client, walk(root.fid, FREE_FID, ...names)), Errno.EINVAL);
    await (await root.walk(names)).clunk();
  }),

  check('a fid in use is not made again: EBADF, and it stays what it was', async (subject) => {
    await twoLevels(subject);
    const { client, root } = subject;
    await ask(client, walk(root.fid, FREE_FID, 'd', 'f'), 'Rwalk');
    const who = { afid: 0xffffffff, uname: utf8(''), aname: utf8(''), nUname: 0 };
    assert.equal(await askForError(client, walk(root.fid, FREE_FID, 'd')), Errno.EBADF);
    assert.equal(await askForError(client, { message: 'Tattach', fid: FREE_FID, ...who }), Errno.EBADF);
    assert.equal(await askForError(client, { message: 'Tattach', fid: root.fid, ...who }), Errno.EBADF);
    const { qid } = await ask(client, { message: 'Tgetattr', fid: FREE_FID, mask: 0x7ffn }, 'Rgetattr');
    assert.equal(qid.type, QidType.file);
    await ask(client, { message: 'Tclunk', fid: FREE_FID }, 'Rclunk');
  }),

  check('NOFID cannot be made', async ({ client, root }) => {
    assert.equal(await askForError(client, walk(root.fid, 0xffffffff)), Errno.EBADF);
  }),

  check('an attach with an afid is EINVAL, since Tauth is refused', async ({ client, root }) => {
    const who = { uname: utf8('u'), aname: utf8(''), nUname: 0 };
    assert.equal(await askForError(client, { message: 'Tauth', afid: FREE_FID, ...who }), Errno.EOPNOTSUPP);
    const attach = { message: 'Tattach', fid: FREE_FID, afid: root.fid, ...who } as const;
    assert.equal(await askForError(client, attach), Errno.EINVAL);
  }),

  check('every request for a fid that does not exist is EBADF', async ({ client, root }) => {
    const none = {
      fid: FREE_FID,
      dfid: FREE_FID,
      dirfid: FREE_FID,
      olddirfid: FREE_FID,
      newdirfid: FREE_FID,
    };
    const name = utf8('name');
    const requests: [MessageName, object][] = [
      ['Tstatfs', {}],
      ['Tlopen', { flags: 0 }],
      ['Tlcreate', { name, flags: 0, mode: 0, gid: 0 }],
      ['Tsymlink', { name, target: name, gid: 0 }],
      ['Tmknod', { name, mode: 0, major: 0, minor: 0, gid: 0 }],
      ['Trename', { dfid: root.fid, name }],
      ['Treadlink', {}],
      ['Tgetattr', { mask: 0x7ffn }],
      [
        'Tsetattr',
        {
          valid: 0,
          mode: 0,
          uid: 0,
          gid: 0,
          size: 0n,
          atimeSec: 0n,
          atimeNsec: 0n,
          mtimeSec: 0n,
          mtimeNsec: 0n,
        },
      ],
      ['Txattrwalk', { newfid: FREE_FID + 1, name }],
      ['Txattrcreate', { name, size: 1n, flags: 0 }],
      ['Treaddir', { offset: 0n, count: 100 }],
      ['Tfsync', { datasync: 0 }],
      ['Tlock', { type: 0, flags: 0, start: 0n, length: 0n, procId: 0, clientId: name }],
      ['Tgetlock', { type: 0, start: 0n, length: 0n, procId: 0, clientId: name }],
      ['Tlink', { fid: root.fid, name }],
      ['Tlink', { dfid: root.fid, name }],
      ['Tmkdir', { name, mode: 0, gid: 0 }],
      ['Trenameat', { olddirfid: root.fid, oldname: name, newname: name }],
      ['Trenameat', { newdirfid: root.fid, oldname: name, newname: name }],
      ['Trename', { fid: root.fid, name }],
      ['Tunlinkat', { name, flags: 0 }],
      ['Twalk', { newfid: FREE_FID + 1, wnames: [] }],
      ['Tread', { offset: 0n, count: 1 }],
      ['Twrite', { offset: 0n, data: name }],
      ['Tclunk', {}],
      ['Tremove', {}],
    ];
    for (const [message, fields] of requests) {
      const answer = await exchange(client, { message, ...none, ...fields });
      assert.equal(answer.message, 'Rlerror', message);
      assert.deepEqual([message, (answer as { ecode?: number }).ecode], [message, Errno.EBADF]);
    }
    assert.equal((await root.getattr()).qid.path, root.qid.path);
  }),

  check('a clunked fid is gone, and its number free', async (subject) => {
    await twoLevels(subject);
    const { client, root } = subject;
    await ask(client, walk(root.fid, FREE_FID, 'd'), 'Rwalk');
    await ask(client, { message: 'Tclunk', fid: FREE_FID }, 'Rclunk');
    assert.equal(await askForError(client, { message: 'Tclunk', fid: FREE_FID }), Errno.EBADF);
    await ask(client, walk(root.fid, FREE_FID, 'd', 'f'), 'Rwalk');
    await ask(client, { message: 'Tclunk', fid: FREE_FID }, 'Rclunk');
  }),

  check('the root can be clunked and attached again', async ({ client }) => {
    const who = { afid: 0xffffffff, uname: utf8(''), aname: utf8(''), nUname: 0 };
    for (let round = 0; round < 3; round++) {
      await ask(client, { message: 'Tattach', fid: FREE_FID, ...who }, 'Rattach');
      await ask(client, { message: 'Tclunk', fid: FREE_FID }, 'Rclunk');
    }
  }),

  check('a thousand fids at once', async (subject) => {
    await twoLevels(subject);
    const { root } = subject;
    const nodes = await Promise.all(
      Array.from({ length: 1000 }, (_, index) => root.walk(index % 2 ? 'd' : 'd/f')),
    );
    for (const [index, { qid }] of nodes.entries())
      assert.equal(qid.type, index % 2 ? QidType.directory : QidType.file);
    const all = await Promise.all(nodes.map((node) => node.getattr()));
    assert.equal(new Set(all.map(({ qid }) => qid.path)).size, 2);
    await Promise.all(nodes.map((node) => node.clunk()));
  }),

  check('fids of any number', async ({ client, root }) => {
    for (const fid of [4095, 4096, 0x7fffffff, 0x80000000, 0xfffffffe]) {
      await ask(client, walk(root.fid, fid), 'Rwalk');
      const { qid } = await ask(client, { message: 'Tgetattr', fid, mask: 0x7ffn }, 'Rgetattr');
      assert.equal(qid.path, root.qid.path);
      await ask(client, { message: 'Tclunk', fid }, 'Rclunk');
    }
  }),

  check('Tflush of a tag that is not in use is answered at once', async ({ client }) => {
    await ask(client, { message: 'Tflush', oldtag: 4711 }, 'Rflush');
  }),

  check('Tversion in the middle ends all fids and begins anew', async ({ client, root }) => {
    const { fid } = root;
    const version = {
      message: 'Tversion',
      tag: 0xffff,
      msize: client.msize,
      version: utf8('9P2000.L'),
    } as const;
    const reply = await ask(client, version, 'Rversion');
    assert.equal(reply.msize, client.msize);
    assert.equal(await askForError(client, { message: 'Tgetattr', fid, mask: 0x7ffn }), Errno.EBADF);
    const who = { afid: 0xffffffff, uname: utf8(''), aname: utf8(''), nUname: 0 };
    const { qid } = await ask(client, { message: 'Tattach', fid, ...who }, 'Rattach');
    assert.ok(qid instanceof Qid);
  }),

  check(
    'a version that is not known is answered "unknown", and there is no session then',
    async ({ client, root }) => {
      const version = {
        message: 'Tversion',
        tag: 0xffff,
        msize: client.msize,
        version: utf8('9P2000.u'),
      } as const;
      const reply = await ask(client, version, 'Rversion');
      assert.deepEqual(reply.version, utf8('unknown'));
      const answer = await exchange(client, { message: 'Tgetattr', fid: root.fid, mask: 0x7ffn });
      assert.equal(answer.message, 'Rlerror');
      await ask(client, { ...version, version: utf8('9P2000.L') }, 'Rversion');
      const who = { afid: 0xffffffff, uname: utf8(''), aname: utf8(''), nUname: 0 };
      await ask(client, { message: 'Tattach', fid: root.fid, ...who }, 'Rattach');
    },
  ),
];
