import type { DirectoryEntry } from '../client/directory-entry.ts';
import { Errno } from '../errno.ts';
import { Name } from '../name.ts';
import { QidType } from '../wire/qid.ts';
import * as assert from './assert.ts';
import {
  ask,
  askForError,
  assertBytes,
  check,
  entriesOf,
  FREE_FID,
  refuses,
  type Subject,
  utf8,
} from './check.ts';

/** Treaddir, and names of all kinds. */

const isDots = ({ name }: DirectoryEntry) => ['.', '..'].includes(String(name));

/** Files with names of many lengths; their names, sorted. */
async function manyFiles({ root }: Subject, count: number): Promise<string[]> {
  const names = Array.from(
    { length: count },
    (_, index) => `entry ${index} ${'x'.repeat((index * 7) % 200)}`,
  );
  await Promise.all(names.map(async (name) => (await root.create(name)).clunk()));
  return names.sort();
}

/** Names that are allowed, however odd; as bytes. */
const oddNames: Uint8Array[] = [
  utf8(' '),
  utf8('...'),
  utf8('.hidden'),
  utf8('-rf'),
  utf8('with space'),
  utf8('with\nnewline'),
  utf8('with\ttab and \\ and "quotes" and \'those\''),
  utf8('*?[a-z]$(x)`y`'),
  utf8('grün \u{1f600} 漢字'),
  // The same letter composed and not: two names.
  utf8('\u00e9'),
  utf8('e\u0301'),
  new Uint8Array([1]),
  new Uint8Array([0xff]),
  new Uint8Array([0x80, 0xfe, 0xff, 0x2e]),
  new Uint8Array([0x61, 0xc3]),
  new Uint8Array(255).fill(0xe9),
];

export const directoryChecks = [
  check('an empty directory has no entries but . and ..', async ({ root }) => {
    assert.deepEqual(await entriesOf(root), []);
  }),

  check('entries have the qid and type of what they name', async ({ root }) => {
    await root.mkdir('d');
    await root.writeFile('f', utf8(''));
    const entries = new Map<string, DirectoryEntry>();
    for await (const entry of root.readdir()) entries.set(String(entry.name), entry);
    for (const [name, type, dt] of [
      ['d', QidType.directory, 4],
      ['f', QidType.file, 8],
    ] as const) {
      const entry = entries.get(name);
      assert.ok(entry !== undefined, name);
      assert.equal(entry.qid.type, type, name);
      assert.ok(entry.type === dt || entry.type === 0, `DT_* of ${name} is ${entry.type}`);
      const node = await root.walk(name);
      assert.equal(entry.qid.path, node.qid.path, name);
      await node.clunk();
    }
  }),

  check(
    'an entry that is a symlink says so',
    async ({ root }) => {
      await root.symlink('nowhere', 'l');
      for await (const entry of root.readdir()) {
        if (isDots(entry)) continue;
        assert.equal(entry.qid.type, QidType.symlink);
        assert.ok(entry.type === 10 || entry.type === 0);
      }
    },
    'symlink',
  ),

  check('each of six hundred entries comes exactly once, in messages of any size', async (subject) => {
    const names = await manyFiles(subject, 600);
    assert.deepEqual(await entriesOf(subject.root), names);
    const { client, root } = subject;
    for (const count of [300, 1000, 4097]) {
      await ask(client, { message: 'Twalk', fid: root.fid, newfid: FREE_FID, wnames: [] }, 'Rwalk');
      await ask(client, { message: 'Tlopen', fid: FREE_FID, flags: 0 }, 'Rlopen');
      const found: string[] = [];
      for (let offset = 0n; ; ) {
        const request = { message: 'Treaddir', fid: FREE_FID, offset, count } as const;
        const { data } = await ask(client, request, 'Rreaddir');
        assert.ok(data.length <= count, `${data.length} bytes for ${count}`);
        if (data.length === 0) break;
        for (const [name, next] of entriesIn(data)) {
          found.push(name);
          offset = next;
        }
      }
      assert.deepEqual(found.filter((name) => name !== '.' && name !== '..').sort(), names);
      await ask(client, { message: 'Tclunk', fid: FREE_FID }, 'Rclunk');
    }
  }),

  check('reading goes on behind any entry', async (subject) => {
    await manyFiles(subject, 300);
    const directory = await subject.root.open('');
    const entries: DirectoryEntry[] = [];
    for await (const entry of directory.readdir()) entries.push(entry);
    assert.equal(new Set(entries.map(({ next }) => next)).size, entries.length);
    for (const at of [0, 150, 1, entries.length - 2, entries.length - 1, 37]) {
      const rest: string[] = [];
      for await (const { name } of directory.readdir((entries[at] as DirectoryEntry).next))
        rest.push(String(name));
      assert.deepEqual(
        rest,
        entries.slice(at + 1).map(({ name }) => String(name)),
      );
    }
    await directory.clunk();
  }),

  check('reading from the start again shows what has changed', async ({ root }) => {
    const directory = await root.open('');
    const list = async () => {
      const names: string[] = [];
      for await (const entry of directory.readdir()) if (!isDots(entry)) names.push(String(entry.name));
      return names.sort();
    };
    assert.deepEqual(await list(), []);
    await root.writeFile('a', utf8(''));
    await root.writeFile('b', utf8(''));
    assert.deepEqual(await list(), ['a', 'b']);
    await root.unlink('a');
    assert.deepEqual(await list(), ['b']);
    await directory.clunk();
  }),

  check('all entries can be removed while they are listed', async (subject) => {
    await manyFiles(subject, 300);
    const { root } = subject;
    for (let rounds = 0; rounds < 20; rounds++) {
      const names: Uint8Array[] = [];
      for await (const entry of root.readdir()) if (!isDots(entry)) names.push(entry.name.toBytes());
      if (names.length === 0) return;
      await Promise.all(names.map((name) => root.unlink([name])));
    }
    assert.fail('the directory does not become empty');
  }),

  check('a file is not a directory to be read', async ({ client, root }) => {
    await root.writeFile('a', utf8(''));
    const file = await root.open('a');
    const request = { message: 'Treaddir', fid: file.fid, offset: 0n, count: 1000 } as const;
    assert.equal(await askForError(client, request), Errno.ENOTDIR);
    await file.clunk();
  }),

  check('odd names are made, listed, opened, renamed and removed', async ({ root }) => {
    for (const name of oddNames) await root.writeFile([name], name);
    const listed = new Set<string>();
    for await (const { name } of root.readdir()) listed.add(hex(name));
    for (const name of oddNames) {
      assert.ok(listed.has(hex(new Name(name))), `${hex(new Name(name))} is not listed`);
      assertBytes(await root.readFile([name]), name);
    }
    await root.mkdir('d');
    for (const name of oddNames) {
      await root.renameat([name], ['d', name]);
      await refuses(root.walk([name]), 'ENOENT');
      await root.unlink(['d', name]);
    }
    assert.deepEqual(await entriesOf(root), ['d']);
    assert.deepEqual(await entriesOf(root, 'd'), []);
  }),

  check('a name of 256 bytes is ENAMETOOLONG', async ({ root }) => {
    const name = 'n'.repeat(256);
    await refuses(root.walk(name), 'ENAMETOOLONG');
    await refuses(root.create(name), 'ENAMETOOLONG');
    await refuses(root.mkdir(name), 'ENAMETOOLONG');
    await refuses(root.unlink(name), 'ENAMETOOLONG');
  }),
];

function hex(name: Name): string {
  return Array.from(name.toBytes(), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Name and cookie of each entry in the data of an Rreaddir. */
function* entriesIn(data: Uint8Array): Generator<[string, bigint]> {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0; at < data.length; ) {
    const length = view.getUint16(at + 22, true);
    yield [
      new TextDecoder().decode(data.subarray(at + 24, at + 24 + length)),
      view.getBigUint64(at + 13, true),
    ];
    at += 24 + length;
  }
}
