import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { entriesOf, refuses, text, utf8 } from '../src/conformance/check.ts';
import { HostFileSystem } from '../src/host/host-file-system.ts';
import type { HostFileSystemOptions } from '../src/host/host-options.ts';
import { descriptorsInto, scratchDirectory } from './scratch-directory.ts';
import { type ServedClient, serveHostToClient, transports } from './served.ts';

const open: ServedClient[] = [];

afterEach(async () => {
  for (const served of open.splice(0)) await served.end();
});

/** Two directories, each with a file that has its name. */
function directories(): { base: string; a: string; b: string } {
  const base = scratchDirectory();
  for (const name of ['a', 'b']) {
    mkdirSync(join(base, name));
    writeFileSync(join(base, name, 'which'), name);
  }
  return { base, a: join(base, 'a'), b: join(base, 'b') };
}

async function served(
  options: HostFileSystemOptions,
  attach: { aname: string; nUname?: number },
  transport: (typeof transports)[number] = 'stream',
): Promise<ServedClient> {
  const made = await serveHostToClient(transport, options, { attach });
  open.push(made);
  return made;
}

test.each(['', '/', 'anything', '/etc'])('the only directory is attached by any aname: %j', async (aname) => {
  const { a } = directories();
  for (const root of [a, new Map([['named', a]])]) {
    expect(text(await (await served({ root }, { aname })).root.readFile('which'))).toBe('a');
  }
});

test.each(transports)('of several directories the aname says which, over %s', async (transport) => {
  const { a, b } = directories();
  const exports = new Map([
    ['first', a],
    ['/second/one', b],
  ]);
  const { client, root } = await served({ root: exports }, { aname: 'first' }, transport);
  expect(text(await root.readFile('which'))).toBe('a');
  const second = await client.attach({ aname: '/second/one', nUname: 1000 });
  expect(text(await second.readFile('which'))).toBe('b');
  for (const aname of ['', '/', 'second/one', 'first/', 'FIRST', '../b', a]) {
    await refuses(client.attach({ aname }), 'ENOENT');
    await refuses(client.attach({ aname, nUname: 1000 }), 'ENOENT');
  }
  // Nothing of the one can be seen from the other, and both are what they were.
  for (const tree of [root, second]) {
    await refuses(tree.walk(['..', 'a']), 'EINVAL');
    expect(await entriesOf(tree)).toStrictEqual(['which']);
    await tree.writeFile('new', utf8('new'));
    await tree.unlink('new');
  }
  expect((await root.getattr()).qid.path).not.toBe((await second.getattr()).qid.path);
});

test('a directory that is served inside another one is a root only for those who attach to it', async () => {
  const { base, a } = directories();
  const exports = new Map([
    ['all', base],
    ['a', a],
  ]);
  const { client, root } = await served({ root: exports }, { aname: 'all' });
  const inner = await client.attach({ aname: 'a' });
  await refuses(inner.remove(), 'EBUSY');
  await root.renameat('a', 'moved');
  expect(text(await (await client.attach({ aname: 'a' })).readFile('which'))).toBe('a');
  await root.unlink('moved/which');
  await (await root.walk('moved')).remove();
  await refuses(root.remove(), 'EBUSY');
});

test('one directory that is not there is an error, and none is held open for it', () => {
  const { base, a } = directories();
  const root = new Map([
    ['a', a],
    ['none', join(base, 'none')],
  ]);
  expect(() => new HostFileSystem({ root })).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  expect(descriptorsInto(base)).toStrictEqual([]);
  expect(() => new HostFileSystem({ root: new Map() })).toThrow(RangeError);
});

test('disposing lets all of them go', () => {
  const { base, a, b } = directories();
  const fs = new HostFileSystem({
    root: new Map([
      ['a', a],
      ['b', b],
    ]),
  });
  expect(descriptorsInto(base).sort()).toStrictEqual([a, b]);
  fs[Symbol.dispose]();
  expect(descriptorsInto(base)).toStrictEqual([]);
});
