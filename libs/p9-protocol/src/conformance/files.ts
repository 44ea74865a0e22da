import { Errno } from '../errno.ts';
import { OpenFlags } from '../wire/flags.ts';
import * as assert from './assert.ts';
import { ask, askForError, assertBytes, check, FREE_FID, pattern, refuses, text, utf8 } from './check.ts';

/** Tlopen, Tlcreate, Tread, Twrite, Tfsync. */

const { readOnly, writeOnly, readWrite, exclusive, truncate, append, directory } = OpenFlags;

export const fileChecks = [
  check('what was written is read', async ({ root }) => {
    await root.writeFile('a', utf8('hello'));
    assert.equal(text(await root.readFile('a')), 'hello');
  }),

  check('an empty file', async ({ root }) => {
    await root.writeFile('a', utf8(''));
    assert.equal((await root.readFile('a')).length, 0);
    assert.equal((await root.getattr('a')).size, 0);
  }),

  check('three megabytes', async ({ root }) => {
    const content = pattern(3_000_001);
    await root.writeFile('a', content);
    assertBytes(await root.readFile('a'), content);
    assert.equal((await root.getattr('a')).size, content.length);
  }),

  check('reads and writes at any offset', async ({ root }) => {
    const content = pattern(10_000);
    const file = await root.create('a');
    for (const [start, end] of [
      [5000, 10_000],
      [0, 1],
      [1, 5000],
    ] as const) {
      await file.write(content.subarray(start, end), start);
    }
    for (const [offset, count] of [
      [0, 10_000],
      [9999, 1],
      [4999, 2],
      [4096, 4096],
    ] as const) {
      assertBytes(await file.read(offset, count), content.subarray(offset, offset + count));
    }
    await file.clunk();
  }),

  check('reads at and beyond the end give nothing', async ({ root }) => {
    await root.writeFile('a', utf8('12345'));
    const file = await root.open('a');
    assert.equal((await file.read(5, 10)).length, 0);
    assert.equal((await file.read(6, 10)).length, 0);
    assert.equal((await file.read(2 ** 40, 10)).length, 0);
    assert.equal(text(await file.read(3, 10)), '45');
    assert.equal((await file.read(0, 0)).length, 0);
    await file.clunk();
  }),

  check(
    'a write far beyond the end leaves zeros before it',
    async ({ root }) => {
      const far = 2 ** 33 + 12_345;
      const file = await root.create('a');
      await file.write(utf8('x'), far);
      assert.equal((await file.getattr()).size, far + 1);
      assertBytes(await file.read(far - 3, 10), new Uint8Array([0, 0, 0, 0x78]));
      await file.clunk();
    },
    'sparse',
  ),

  check('a write of nothing changes nothing', async ({ client, root }) => {
    const file = await root.create('a');
    const request = { message: 'Twrite', fid: file.fid, offset: 100n, data: new Uint8Array() } as const;
    assert.equal((await ask(client, request, 'Rwrite')).count, 0);
    assert.equal((await file.getattr()).size, 0);
    await file.clunk();
  }),

  check('a read of more than msize gives what msize holds', async ({ client, root }) => {
    await root.writeFile('a', pattern(client.msize + 1000));
    const file = await root.open('a');
    const request = { message: 'Tread', fid: file.fid, offset: 0n, count: 0xffffffff } as const;
    const { data } = await ask(client, request, 'Rread');
    assertBytes(data, pattern(client.msize - 11));
    await file.clunk();
  }),

  check('create makes a file with the mode that was asked for', async ({ root }) => {
    for (const mode of [0o600, 0o644, 0o777, 0o400]) {
      const file = await root.create(`m${mode}`, { mode });
      assert.equal((await file.getattr()).mode, 0o100000 | mode);
      await file.clunk();
    }
  }),

  check('create with `exclusive` refuses what is there', async ({ root }) => {
    await root.writeFile('a', utf8('kept'));
    await root.mkdir('d');
    await refuses(root.create('a', { flags: readWrite | exclusive }), 'EEXIST');
    await refuses(root.create('d', { flags: readWrite | exclusive }), 'EEXIST');
    assert.equal(text(await root.readFile('a')), 'kept');
    await (await root.create('b', { flags: readWrite | exclusive })).clunk();
  }),

  check('create without `exclusive` opens what is there', async ({ root }) => {
    await root.writeFile('a', utf8('kept'));
    const file = await root.create('a', { flags: readWrite, mode: 0 });
    assert.equal(text(await file.readToEnd()), 'kept');
    assert.equal((await file.getattr()).qid.path, (await root.getattr('a')).qid.path);
    await file.clunk();
    await refuses(root.create('.', { flags: readWrite }), 'EINVAL');
  }),

  check('create without `exclusive` of a directory is EISDIR', async ({ root }) => {
    await root.mkdir('d');
    await refuses(root.create('d', { flags: readWrite }), 'EISDIR');
  }),

  check('create gives the fid to the new file', async ({ client, root }) => {
    await ask(client, { message: 'Twalk', fid: root.fid, newfid: FREE_FID, wnames: [] }, 'Rwalk');
    const request = {
      message: 'Tlcreate',
      fid: FREE_FID,
      name: utf8('a'),
      flags: readWrite,
      mode: 0o644,
      gid: 0xffffffff,
    };
    const { qid } = await ask(client, { ...request, message: 'Tlcreate' }, 'Rlcreate');
    assert.equal(qid.path, (await root.getattr('a')).qid.path);
    await ask(client, { message: 'Twrite', fid: FREE_FID, offset: 0n, data: utf8('x') }, 'Rwrite');
    assert.equal(await askForError(client, { ...request, message: 'Tlcreate' }), Errno.EINVAL);
    await ask(client, { message: 'Tclunk', fid: FREE_FID }, 'Rclunk');
    assert.equal(text(await root.readFile('a')), 'x');
  }),

  check('create in a file is ENOTDIR', async ({ root }) => {
    await root.writeFile('a', utf8(''));
    await refuses(root.create('a/b'), 'ENOTDIR');
  }),

  check('`truncate` empties a file when it is opened or created', async ({ root }) => {
    await root.writeFile('a', utf8('long content'));
    await (await root.open('a', { flags: writeOnly | truncate })).clunk();
    assert.equal((await root.getattr('a')).size, 0);
    await root.writeFile('a', utf8('long content'));
    await root.writeFile('a', utf8('short'));
    assert.equal(text(await root.readFile('a')), 'short');
  }),

  check(
    '`append` writes at the end, whatever the offset',
    async ({ root }) => {
      await root.writeFile('a', utf8('one'));
      const file = await root.open('a', { flags: writeOnly | append });
      await file.write(utf8('two'), 0);
      await file.write(utf8('three'), 1);
      await file.clunk();
      assert.equal(text(await root.readFile('a')), 'onetwothree');
    },
    'append',
  ),

  check('a file is read or written only if opened for that', async ({ root }) => {
    await root.writeFile('a', utf8('x'));
    const reader = await root.open('a', { flags: readOnly });
    await refuses(reader.write(utf8('y'), 0), 'EBADF');
    const writer = await root.open('a', { flags: writeOnly });
    await refuses(writer.read(0, 1), 'EBADF');
    await writer.clunk();
    await reader.clunk();
    assert.equal(text(await root.readFile('a')), 'x');
  }),

  check('what is not open is not read, written or synced', async ({ client, root }) => {
    await root.writeFile('a', utf8('x'));
    const { fid } = await root.walk('a');
    for (const request of [
      { message: 'Tread', fid, offset: 0n, count: 1 },
      { message: 'Twrite', fid, offset: 0n, data: utf8('y') },
      { message: 'Treaddir', fid, offset: 0n, count: 1000 },
      { message: 'Tfsync', fid, datasync: 0 },
    ] as const) {
      assert.equal(await askForError(client, request), Errno.EBADF, request.message);
    }
    await ask(client, { message: 'Tclunk', fid }, 'Rclunk');
  }),

  check('an open fid is not opened again, nor walked elsewhere', async ({ client, root }) => {
    await root.mkdir('d');
    await root.mkdir('d/e');
    const file = await root.open('d', { flags: readOnly | directory });
    const { fid } = file;
    assert.equal(await askForError(client, { message: 'Tlopen', fid, flags: 0 }), Errno.EINVAL);
    const walk = { message: 'Twalk', fid, newfid: fid, wnames: [utf8('e')] } as const;
    assert.equal(await askForError(client, walk), Errno.EINVAL);
    await file.clunk();
  }),

  check('a directory is opened for reading only', async ({ root }) => {
    await root.mkdir('d');
    await (await root.open('d', { flags: readOnly })).clunk();
    await (await root.open('d', { flags: readOnly | directory })).clunk();
    await refuses(root.open('d', { flags: writeOnly }), 'EISDIR');
    await refuses(root.open('d', { flags: readWrite }), 'EISDIR');
  }),

  check('a directory has no bytes to read or write', async ({ root }) => {
    const opened = await root.open('', { flags: readOnly });
    await refuses(opened.read(0, 10), 'EISDIR');
    await refuses(opened.write(utf8('x'), 0), 'EBADF', 'EISDIR');
    await opened.clunk();
  }),

  check('`directory` refuses what is none', async ({ root }) => {
    await root.writeFile('a', utf8('x'));
    await refuses(root.open('a', { flags: readOnly | directory }), 'ENOTDIR');
  }),

  check('what one fid writes, another reads', async ({ root }) => {
    const [a, b] = [await root.create('a'), await root.open('a', { flags: readWrite })];
    await a.write(utf8('from a'), 0);
    assert.equal(text(await b.readToEnd()), 'from a');
    await b.write(utf8('b'), 5);
    assert.equal(text(await a.readToEnd()), 'from b');
    await a.clunk();
    assert.equal(text(await b.readToEnd()), 'from b');
    await b.clunk();
  }),

  check('fsync of a file and of a directory', async ({ root }) => {
    const file = await root.create('a');
    await file.write(utf8('x'), 0);
    await file.fsync();
    await file.fsync({ dataOnly: true });
    await file.clunk();
    const opened = await root.open('');
    await opened.fsync();
    await opened.clunk();
  }),

  check('an open file lives on when its name is gone', async ({ root }) => {
    await root.writeFile('a', utf8('still here'));
    const file = await root.open('a', { flags: readWrite });
    await root.unlink('a');
    await refuses(root.walk('a'), 'ENOENT');
    assert.equal(text(await file.readToEnd()), 'still here');
    await file.write(utf8('there'), 6);
    assert.equal(text(await file.readToEnd()), 'still there');
    assert.equal((await file.getattr()).nlink, 0);
    await file.clunk();
  }),

  check('a file just created lives on too, and its other fids with it', async ({ client, root }) => {
    const file = await root.create('a');
    await ask(client, { message: 'Twalk', fid: file.fid, newfid: FREE_FID, wnames: [] }, 'Rwalk');
    await file.write(utf8('x'), 0);
    await file.clunk();
    const { size } = await ask(client, { message: 'Tgetattr', fid: FREE_FID, mask: 0x7ffn }, 'Rgetattr');
    assert.equal(size, 1n);
    await ask(client, { message: 'Tlopen', fid: FREE_FID, flags: readWrite }, 'Rlopen');
    assert.equal(
      text((await ask(client, { message: 'Tread', fid: FREE_FID, offset: 0n, count: 9 }, 'Rread')).data),
      'x',
    );
    await ask(client, { message: 'Tclunk', fid: FREE_FID }, 'Rclunk');
  }),

  check('many requests at once on one file', async ({ root }) => {
    const file = await root.create('a');
    const parts = Array.from({ length: 200 }, (_, index) => pattern(1000, index));
    await Promise.all(parts.map((part, index) => file.write(part, index * 1000)));
    const read = await Promise.all(parts.map((_, index) => file.read(index * 1000, 1000)));
    for (const [index, part] of parts.entries()) assertBytes(read[index] as Uint8Array, part);
    await file.clunk();
  }),
];
