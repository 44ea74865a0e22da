import { GetattrMask, OpenFlags } from '../wire/flags.ts';
import * as assert from './assert.ts';
import { check, pattern, refuses, utf8 } from './check.ts';

/** Tgetattr, Tsetattr, Tstatfs. */

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;

const seconds = () => Math.floor(Date.now() / 1000);

export const attributeChecks = [
  check('getattr of a file', async ({ root }) => {
    const before = seconds();
    await root.writeFile('a', pattern(5000), { mode: 0o640 });
    const attributes = await root.getattr('a');
    assert.equal(attributes.valid & GetattrMask.basic, GetattrMask.basic);
    assert.equal(attributes.mode, S_IFREG | 0o640);
    assert.equal(attributes.size, 5000);
    assert.equal(attributes.nlink, 1);
    assert.ok(attributes.blksize > 0, 'blksize');
    for (const name of ['atime', 'mtime', 'ctime'] as const) {
      const time = attributes[name];
      assert.ok(
        time.seconds >= before - 1 && time.seconds <= seconds() + 1,
        `${name} ${time.seconds}, now ${seconds()}`,
      );
      assert.ok(time.nanoseconds >= 0 && time.nanoseconds < 1e9, `${name} ${time.nanoseconds} ns`);
    }
  }),

  check('getattr of a directory', async ({ root }) => {
    await root.mkdir('d', { mode: 0o750 });
    const { mode, nlink, qid } = await root.getattr('d');
    assert.equal(mode, S_IFDIR | 0o750);
    assert.ok(nlink >= 1, `nlink ${nlink}`);
    assert.equal(qid.type, 0x80);
  }),

  check(
    'getattr of a symlink is of the link itself',
    async ({ root }) => {
      await root.symlink('somewhere/else', 'l');
      const { mode, size, qid } = await root.getattr('l');
      assert.equal(mode & S_IFMT, S_IFLNK);
      assert.equal(size, 'somewhere/else'.length);
      assert.equal(qid.type, 0x02);
    },
    'symlink',
  ),

  check('getattr of an open file, and through any fid of it, is the same', async ({ root }) => {
    const file = await root.create('a');
    await file.write(utf8('123'), 0);
    assert.deepEqual(await file.getattr(), await root.getattr('a'));
    await file.clunk();
  }),

  check('permission bits are changed, and the type is not', async ({ root }) => {
    await root.writeFile('a', utf8(''));
    await root.mkdir('d');
    for (const mode of [0o600, 0o444, 0o755, 0]) {
      await root.setattr('a', { mode });
      assert.equal((await root.getattr('a')).mode, S_IFREG | mode);
      await root.setattr('d', { mode: mode | 0o700 });
      assert.equal((await root.getattr('d')).mode, S_IFDIR | mode | 0o700);
    }
    // The type that Linux sends along with the bits is left out.
    await root.setattr('a', { mode: S_IFDIR | 0o640 });
    assert.equal((await root.getattr('a')).mode, S_IFREG | 0o640);
  }),

  check('a file is made shorter and longer', async ({ root }) => {
    await root.writeFile('a', utf8('123456'));
    await root.setattr('a', { size: 3 });
    assert.deepEqual(await root.readFile('a'), utf8('123'));
    await root.setattr('a', { size: 5 });
    assert.deepEqual(await root.readFile('a'), new Uint8Array([0x31, 0x32, 0x33, 0, 0]));
    await root.setattr('a', { size: 0 });
    assert.equal((await root.getattr('a')).size, 0);
  }),

  check('an open file is made shorter by its fid, whatever it was opened for', async ({ root }) => {
    await root.writeFile('a', utf8('123456'));
    const file = await root.open('a', { flags: OpenFlags.readOnly });
    await file.setattr({ size: 2 });
    assert.deepEqual(await file.readToEnd(), utf8('12'));
    await file.clunk();
  }),

  check('a directory has no size to be set', async ({ root }) => {
    await root.mkdir('d');
    await refuses(root.setattr('d', { size: 0 }), 'EISDIR');
  }),

  check('times are set to the nanosecond', async ({ root }) => {
    await root.writeFile('a', utf8(''));
    const atime = { seconds: 1_000_000_000, nanoseconds: 123_456_789 };
    const mtime = { seconds: 2_000_000_000, nanoseconds: 1 };
    await root.setattr('a', { atime, mtime });
    let now = await root.getattr('a');
    assert.deepEqual([now.atime, now.mtime], [atime, mtime]);
    await root.setattr('a', { mtime: atime });
    now = await root.getattr('a');
    assert.deepEqual([now.atime, now.mtime], [atime, atime]);
  }),

  check('times before 1970', async ({ root }) => {
    await root.writeFile('a', utf8(''));
    const mtime = { seconds: -1_000_000, nanoseconds: 5 };
    await root.setattr('a', { mtime });
    assert.deepEqual((await root.getattr('a')).mtime, mtime);
  }),

  check('times are set to the present', async ({ root }) => {
    await root.writeFile('a', utf8(''));
    const old = { seconds: 1000, nanoseconds: 0 };
    await root.setattr('a', { atime: old, mtime: old });
    await root.setattr('a', { mtime: 'now' });
    const { atime, mtime } = await root.getattr('a');
    assert.deepEqual(atime, old);
    assert.ok(Math.abs(mtime.seconds - seconds()) < 60, `mtime ${mtime.seconds}, now ${seconds()}`);
  }),

  check('several attributes at once, and the times are those that were asked for', async ({ root }) => {
    await root.writeFile('a', utf8('123456'));
    const mtime = { seconds: 3000, nanoseconds: 7 };
    await root.setattr('a', { mode: 0o604, size: 1, mtime });
    const after = await root.getattr('a');
    assert.deepEqual([after.mode, after.size, after.mtime], [S_IFREG | 0o604, 1, mtime]);
  }),

  check('a change of nothing succeeds', async ({ root }) => {
    await root.writeFile('a', utf8('123'));
    const before = await root.getattr('a');
    await root.setattr('a', {});
    assert.deepEqual(await root.getattr('a'), before);
  }),

  check('ctime alone', async ({ root }) => {
    await root.writeFile('a', utf8('123'));
    const before = await root.getattr('a');
    await root.setattr('a', { ctime: true });
    const after = await root.getattr('a');
    assert.deepEqual([after.mode, after.size, after.mtime], [before.mode, before.size, before.mtime]);
    const nanoseconds = ({ ctime }: typeof after) =>
      BigInt(ctime.seconds) * 1_000_000_000n + BigInt(ctime.nanoseconds);
    assert.ok(nanoseconds(after) >= nanoseconds(before));
  }),

  check('a write changes mtime and the version of the qid', async ({ root }) => {
    await root.writeFile('a', utf8('123'));
    await root.setattr('a', { mtime: { seconds: 1000, nanoseconds: 0 } });
    const before = await root.getattr('a');
    const file = await root.open('a', { flags: OpenFlags.writeOnly });
    await file.write(utf8('4'), 0);
    await file.clunk();
    const after = await root.getattr('a');
    assert.notEqual(after.mtime.seconds, 1000);
    assert.notEqual(after.qid.version, before.qid.version);
    assert.equal(after.qid.path, before.qid.path);
  }),

  check(
    'owner and group are set',
    async ({ root }) => {
      await root.writeFile('a', utf8(''));
      await root.setattr('a', { uid: 12_345, gid: 54_321 });
      const first = await root.getattr('a');
      assert.deepEqual([first.uid, first.gid], [12_345, 54_321]);
      await root.setattr('a', { gid: 7 });
      const second = await root.getattr('a');
      assert.deepEqual([second.uid, second.gid], [12_345, 7]);
    },
    'chown',
  ),

  check(
    'what is made gets the group that was asked for',
    async ({ root }) => {
      await root.writeFile('f', utf8(''), { gid: 4321 });
      await root.mkdir('d', { gid: 4321 });
      await root.symlink('x', 'l', { gid: 4321 });
      for (const name of ['f', 'd', 'l']) assert.equal((await root.getattr(name)).gid, 4321, name);
    },
    'chown',
    'symlink',
  ),

  check(
    'set-user-id and sticky bits are kept',
    async ({ root }) => {
      await root.writeFile('a', utf8(''), { mode: 0o4755 });
      assert.equal((await root.getattr('a')).mode, S_IFREG | 0o4755);
      await root.mkdir('d', { mode: 0o1777 });
      assert.equal((await root.getattr('d')).mode, S_IFDIR | 0o1777);
    },
    'chown',
  ),

  check(
    'statfs',
    async ({ root }) => {
      await root.writeFile('a', utf8(''));
      for (const path of ['', 'a']) {
        const status = await root.statfs(path);
        assert.ok(status.blockSize > 0);
        assert.ok(status.blocks > 0n && status.freeBlocks <= status.blocks);
        assert.ok(status.availableBlocks <= status.freeBlocks);
        assert.ok(status.freeFiles <= status.files);
        assert.ok(status.nameLength >= 255);
      }
    },
    'statfs',
  ),
];
