import { Errno } from '../errno.ts';
import { OpenFlags } from '../wire/flags.ts';
import type { MessageName } from '../wire/messages.ts';
import { QidType } from '../wire/qid.ts';
import * as assert from './assert.ts';
import { ask, askForError, assertBytes, check, entriesOf, FREE_FID, refuses, text, utf8 } from './check.ts';

/** Tmkdir, Tsymlink, Treadlink, Tmknod, Tlink, Trename, Trenameat, Tunlinkat, Tremove. */

/** What no message may take for the name of an entry. */
const badNames = ['', '.', '..', '/', 'a/b', '/a', 'a/', '../x', 'a\0b', '\0', 'a\0'].map(utf8);

export const nameChecks = [
  check('directories are made in one another', async ({ root }) => {
    const qid = await root.mkdir('a');
    assert.equal(qid.type, QidType.directory);
    assert.equal(qid.path, (await root.getattr('a')).qid.path);
    await root.mkdir('a/b');
    await root.mkdir('a/b/c');
    assert.deepEqual(await entriesOf(root, 'a/b'), ['c']);
  }),

  check('what is there already is EEXIST', async ({ root }) => {
    await root.mkdir('d');
    await root.writeFile('f', utf8('kept'));
    await refuses(root.mkdir('d'), 'EEXIST');
    await refuses(root.mkdir('f'), 'EEXIST');
    assert.equal(text(await root.readFile('f')), 'kept');
  }),

  check('nothing is made below a file or below what is not there', async ({ root }) => {
    await root.writeFile('f', utf8(''));
    await refuses(root.mkdir('f/d'), 'ENOTDIR');
    await refuses(root.mkdir('missing/d'), 'ENOENT');
    await refuses(root.writeFile('missing/f', utf8('')), 'ENOENT');
  }),

  check('files and empty directories are unlinked, each in its own way', async ({ root }) => {
    await root.mkdir('d');
    await root.writeFile('d/f', utf8(''));
    await refuses(root.unlink('d', { directory: true }), 'ENOTEMPTY');
    await refuses(root.unlink('d'), 'EISDIR');
    await refuses(root.unlink('d/f', { directory: true }), 'ENOTDIR');
    await root.unlink('d/f');
    await root.unlink('d', { directory: true });
    await refuses(root.unlink('d', { directory: true }), 'ENOENT');
    await refuses(root.unlink('f'), 'ENOENT');
    assert.deepEqual(await entriesOf(root), []);
  }),

  check('unlink flags that mean nothing are EINVAL', async ({ client, root }) => {
    await root.writeFile('f', utf8(''));
    const request = { message: 'Tunlinkat', dirfid: root.fid, name: utf8('f'), flags: 0x1 } as const;
    assert.equal(await askForError(client, request), Errno.EINVAL);
    await root.getattr('f');
  }),

  check(
    'remove takes a file or an empty directory away, and its fid in any case',
    async ({ root, client }) => {
      await root.writeFile('f', utf8(''));
      await root.mkdir('d');
      await root.mkdir('d/e');
      await (await root.walk('f')).remove();
      const { fid } = await root.walk('d');
      assert.equal(await askForError(client, { message: 'Tremove', fid }), Errno.ENOTEMPTY);
      assert.equal(await askForError(client, { message: 'Tclunk', fid }), Errno.EBADF);
      await (await root.walk('d/e')).remove();
      await (await root.walk('d')).remove();
      assert.deepEqual(await entriesOf(root), []);
    },
  ),

  check(
    'a symlink holds any bytes, and says them again',
    async ({ root }) => {
      const targets = [
        utf8('file'),
        utf8('../../etc/passwd'),
        utf8('/etc/passwd'),
        utf8('no such/thing'),
        new Uint8Array([0xff, 0x2f, 0x80]),
        new Uint8Array(4000).fill(0x78),
      ];
      for (const [index, target] of targets.entries()) {
        const qid = await root.symlink(target, `l${index}`);
        assert.equal(qid.type, QidType.symlink);
        assertBytes((await root.readlink(`l${index}`)).toBytes(), target);
      }
      await refuses(root.symlink('x', 'l0'), 'EEXIST');
      await refuses(root.symlink('', 'empty'), 'ENOENT', 'EINVAL');
      await refuses(root.symlink('nul\0', 'nul'), 'EINVAL');
    },
    'symlink',
  ),

  check(
    'a symlink is never followed',
    async ({ root }) => {
      await root.mkdir('d');
      await root.writeFile('d/f', utf8('x'));
      await root.symlink('d', 'to-directory');
      await root.symlink('d/f', 'to-file');
      const node = await root.walk('to-directory');
      assert.equal(node.qid.type, QidType.symlink);
      await node.clunk();
      await refuses(root.walk('to-directory/f'), 'ENOTDIR', 'ENOENT');
      await refuses(root.open('to-file'), 'ELOOP');
      await refuses(
        root.open('to-directory', { flags: OpenFlags.readOnly | OpenFlags.directory }),
        'ELOOP',
        'ENOTDIR',
      );
      await refuses(root.create('to-file', { flags: OpenFlags.readWrite }), 'ELOOP');
      await refuses(root.create('to-directory/new'), 'ENOTDIR');
      await refuses(root.mkdir('to-directory/new'), 'ENOTDIR');
      await refuses(root.setattr('to-file', { size: 0 }), 'EINVAL', 'ELOOP');
      assert.equal(text(await root.readFile('d/f')), 'x');
      await root.unlink('to-directory');
      assert.deepEqual(await entriesOf(root), ['d', 'to-file']);
    },
    'symlink',
  ),

  check('readlink of what is no symlink is EINVAL', async ({ root }) => {
    await root.writeFile('f', utf8(''));
    await refuses(root.readlink('f'), 'EINVAL');
    await refuses(root.readlink(), 'EINVAL');
  }),

  check(
    'a link is another name of the same file',
    async ({ root }) => {
      await root.mkdir('d');
      await root.writeFile('a', utf8('one'));
      const file = await root.walk('a');
      await root.link(file, 'd/b');
      assert.equal((await root.getattr('d/b')).qid.path, file.qid.path);
      assert.equal((await file.getattr()).nlink, 2);
      await root.writeFile('d/b', utf8('two'));
      assert.equal(text(await root.readFile('a')), 'two');
      await root.unlink('a');
      assert.equal((await root.getattr('d/b')).nlink, 1);
      await file.clunk();
    },
    'link',
  ),

  check(
    'a link to what is there, to a directory, or below a file is refused',
    async ({ root }) => {
      await root.mkdir('d');
      await root.writeFile('a', utf8(''));
      const [file, directory] = [await root.walk('a'), await root.walk('d')];
      await refuses(root.link(file, 'd'), 'EEXIST');
      await refuses(root.link(file, 'a'), 'EEXIST');
      await refuses(root.link(directory, 'b'), 'EPERM');
      await refuses(root.link(file, 'a/b'), 'ENOTDIR');
      await file.clunk();
      await directory.clunk();
    },
    'link',
  ),

  check(
    'a link to a symlink is to the symlink itself',
    async ({ root }) => {
      await root.symlink('nowhere', 'a');
      const link = await root.walk('a');
      await root.link(link, 'b');
      await link.clunk();
      assert.equal(String(await root.readlink('b')), 'nowhere');
    },
    'link',
    'symlink',
  ),

  check('renameat moves files and directories', async ({ root }) => {
    await root.mkdir('d');
    await root.mkdir('e');
    await root.writeFile('d/f', utf8('x'));
    const { path } = (await root.getattr('d/f')).qid;
    await root.renameat('d/f', 'e/g');
    assert.equal((await root.getattr('e/g')).qid.path, path);
    await refuses(root.walk('d/f'), 'ENOENT');
    await root.renameat('e', 'd/e');
    assert.equal(text(await root.readFile('d/e/g')), 'x');
    const directory = await root.walk('d');
    await root.renameat('d/e/g', 'h', { directory });
    await directory.clunk();
    assert.deepEqual(await entriesOf(root, 'd'), ['e', 'h']);
  }),

  check('renameat replaces what may be replaced', async ({ root }) => {
    await root.writeFile('a', utf8('a'));
    await root.writeFile('b', utf8('b'));
    await root.mkdir('d');
    await root.mkdir('e');
    await root.mkdir('full');
    await root.writeFile('full/f', utf8(''));
    await root.renameat('a', 'b');
    assert.equal(text(await root.readFile('b')), 'a');
    await root.renameat('b', 'b');
    await root.renameat('d', 'e');
    await refuses(root.renameat('e', 'full'), 'ENOTEMPTY', 'EEXIST');
    await refuses(root.renameat('b', 'e'), 'EISDIR');
    await refuses(root.renameat('e', 'b'), 'ENOTDIR');
    await refuses(root.renameat('missing', 'b'), 'ENOENT');
    await refuses(root.renameat('full', 'full/inside'), 'EINVAL');
    await refuses(root.renameat('b', 'missing/b'), 'ENOENT');
    assert.deepEqual(await entriesOf(root), ['b', 'e', 'full']);
  }),

  check('a file whose name changes stays with its fids', async ({ root }) => {
    await root.writeFile('a', utf8('x'));
    const [node, file] = [await root.walk('a'), await root.open('a', { flags: OpenFlags.readWrite })];
    await root.renameat('a', 'b');
    assert.equal((await node.getattr()).size, 1);
    await file.write(utf8('y'), 1);
    assert.equal(text(await root.readFile('b')), 'xy');
    await file.clunk();
    await node.clunk();
  }),

  check(
    "rename gives a fid's file a new name, again and again",
    async ({ root }) => {
      await root.mkdir('d');
      await root.writeFile('a', utf8('x'));
      const [node, directory] = [await root.walk('a'), await root.walk('d')];
      await node.rename(root, 'b');
      await node.rename(directory, 'c');
      assert.deepEqual(await entriesOf(root), ['d']);
      assert.equal(text(await root.readFile('d/c')), 'x');
      assert.equal((await node.getattr()).size, 1);
      await node.rename(root, 'a');
      assert.deepEqual(await entriesOf(root), ['a', 'd']);
      await directory.rename(root, 'e');
      assert.deepEqual(await entriesOf(root), ['a', 'e']);
      await node.remove();
      assert.deepEqual(await entriesOf(root), ['e']);
      await directory.clunk();
    },
    'rename',
  ),

  check(
    'files renamed out of directories that no fid denotes are not mixed up after that',
    async ({ root }) => {
      const names = ['a', 'b', 'c', 'd', 'e', 'f'];
      await root.mkdir('deep');
      await root.mkdir('deep/er');
      for (const name of names) await root.writeFile(`deep/er/${name}`, utf8(name));
      for (const name of names) {
        const node = await root.walk(`deep/er/${name}`);
        await node.rename(root, name);
        await node.clunk();
      }
      const nodes = await Promise.all(names.map((name) => root.walk(name)));
      assert.equal(new Set(nodes.map(({ qid }) => qid.path)).size, names.length);
      for (const [index, node] of nodes.entries()) {
        assert.equal((await node.getattr()).qid.path, node.qid.path);
        assert.equal(text(await node.readFile()), names[index]);
      }
      await Promise.all(nodes.map((node) => node.clunk()));
      await root.unlink('deep/er', { directory: true });
    },
    'rename',
  ),

  check(
    'rename replaces a file, and refuses what renameat refuses',
    async ({ root }) => {
      await root.mkdir('d');
      await root.writeFile('a', utf8('a'));
      await root.writeFile('b', utf8('b'));
      const [a, d] = [await root.walk('a'), await root.walk('d')];
      await refuses(a.rename(root, 'd'), 'EISDIR');
      await refuses(d.rename(root, 'a'), 'ENOTDIR');
      await refuses(d.rename(d, 'inside'), 'EINVAL');
      await a.rename(root, 'b');
      assert.equal(text(await root.readFile('b')), 'a');
      await a.clunk();
      await d.clunk();
    },
    'rename',
  ),

  check(
    'the root is neither renamed nor removed',
    async ({ client, root }) => {
      const name = utf8('x');
      const rename = { message: 'Trename', fid: root.fid, dfid: root.fid, name } as const;
      assert.notEqual(await askForError(client, rename), 0);
      await ask(client, { message: 'Twalk', fid: root.fid, newfid: FREE_FID, wnames: [] }, 'Rwalk');
      assert.notEqual(await askForError(client, { message: 'Tremove', fid: FREE_FID }), 0);
      await root.getattr();
    },
    'rename',
  ),

  check(
    'mknod makes files, FIFOs and sockets, which are not opened as files',
    async ({ root }) => {
      for (const [name, kind] of [
        ['file', 0o100000],
        ['fifo', 0o010000],
        ['socket', 0o140000],
      ] as const) {
        const qid = await root.mknod(name, { mode: kind | 0o640 });
        const attributes = await root.getattr(name);
        assert.equal(attributes.mode, kind | 0o640, name);
        assert.equal(attributes.qid.path, qid.path);
        if (kind === 0o100000) continue;
        for (const flags of [OpenFlags.readOnly, OpenFlags.writeOnly, OpenFlags.readWrite]) {
          await refuses(root.open(name, { flags }), 'ENXIO');
        }
        await refuses(root.create(name, { flags: OpenFlags.readOnly }), 'ENXIO');
      }
      await refuses(root.mknod('file', { mode: 0o100644 }), 'EEXIST');
      await refuses(root.mknod('directory', { mode: 0o040755 }), 'EINVAL', 'EPERM');
      await (await root.open('file')).clunk();
    },
    'mknod',
  ),

  check(
    'a name that can be no entry is EINVAL in every message that carries one',
    async ({ client, root }) => {
      await root.writeFile('f', utf8('x'));
      await root.mkdir('d');
      const { fid } = await root.walk('f');
      const dfid = root.fid;
      const good = utf8('new');
      const before = await entriesOf(root);
      for (const name of badNames) {
        const requests: [MessageName, object][] = [
          ['Twalk', { fid: dfid, newfid: FREE_FID, wnames: [name] }],
          ['Tlcreate', { fid: dfid, name, flags: 0, mode: 0o644, gid: 0 }],
          ['Tsymlink', { dfid, name, target: good, gid: 0 }],
          ['Tmknod', { dfid, name, mode: 0o100644, major: 0, minor: 0, gid: 0 }],
          ['Tmkdir', { dfid, name, mode: 0o755, gid: 0 }],
          ['Tlink', { dfid, fid, name }],
          ['Trename', { fid, dfid, name }],
          ['Trenameat', { olddirfid: dfid, oldname: name, newdirfid: dfid, newname: good }],
          ['Trenameat', { olddirfid: dfid, oldname: utf8('f'), newdirfid: dfid, newname: name }],
          ['Tunlinkat', { dirfid: dfid, name, flags: 0 }],
          ['Tunlinkat', { dirfid: dfid, name, flags: 0x200 }],
        ];
        for (const [message, fields] of requests) {
          const ecode = await askForError(client, { message, ...fields });
          assert.deepEqual([message, text(name), ecode], [message, text(name), Errno.EINVAL]);
        }
        // Behind a good name: the walk stops there.
        const walk = { message: 'Twalk', fid: dfid, newfid: FREE_FID, wnames: [utf8('d'), name] } as const;
        assert.equal((await ask(client, walk, 'Rwalk')).wqids.length, 1);
      }
      assert.equal(await askForError(client, { message: 'Tclunk', fid: FREE_FID }), Errno.EBADF);
      assert.deepEqual(await entriesOf(root), before);
      await ask(client, { message: 'Tclunk', fid }, 'Rclunk');
    },
  ),
];
