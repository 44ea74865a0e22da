import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { refuses, text, utf8 } from '../src/conformance/check.ts';
import { OpenFlags } from '../src/wire/flags.ts';
import { descriptorsInto, scratchDirectory } from './scratch-directory.ts';
import { type ServedClient, serveHostToClient } from './served.ts';

let path: string;
let served: ServedClient;

beforeEach(async () => {
  path = scratchDirectory();
  mkdirSync(join(path, 'Docs'));
  writeFileSync(join(path, 'Docs', 'ReadMe.TXT'), 'read');
  served = await serveHostToClient('stream', { root: path, ignoreCase: true });
});
afterEach(() => served.end());

test('files are found whatever the case of their letters, and listed by their own names', async () => {
  const { root } = served;
  for (const name of ['Docs/ReadMe.TXT', 'docs/readme.txt', 'DOCS/README.txt']) {
    expect(text(await root.readFile(name))).toBe('read');
  }
  const names: string[] = [];
  for await (const { name } of root.readdir('dOcS')) names.push(String(name));
  expect(names).toContain('ReadMe.TXT');
  await refuses(root.walk('docs/readme.tx'), 'ENOENT');
  await refuses(root.walk('docs/readme.txt.'), 'ENOENT');
});

test('the very name is preferred, and of several others the first by its bytes', async () => {
  for (const name of ['b', 'aA', 'AA', 'Aa']) writeFileSync(join(path, name), name);
  const { root } = served;
  for (const name of ['aA', 'AA', 'Aa']) expect(text(await root.readFile(name))).toBe(name);
  expect(text(await root.readFile('aa'))).toBe('AA');
});

test('only ASCII letters have cases: other bytes are as they are', async () => {
  const { root } = served;
  await root.writeFile('Ä[x]@', utf8('umlaut'));
  expect(text(await root.readFile('Ä[X]@'))).toBe('umlaut');
  await refuses(root.walk('ä[x]@'), 'ENOENT');
  await refuses(root.walk('Ä{x}@'), 'ENOENT');
  await refuses(root.walk('Ä[x]`'), 'ENOENT');
  const raw = Uint8Array.of(0x46, 0xff, 0xc1);
  await root.writeFile([raw], utf8('bytes'));
  expect(text(await root.readFile([Uint8Array.of(0x66, 0xff, 0xc1)]))).toBe('bytes');
  await refuses(root.walk([Uint8Array.of(0x66, 0xff, 0xe1)]), 'ENOENT');
});

test('nothing is made beside what differs by case alone', async () => {
  const { root } = served;
  await refuses(root.mkdir('DOCS'), 'EEXIST');
  await refuses(root.symlink('x', 'docs'), 'EEXIST');
  await refuses(root.mknod('docs/README.TXT', { mode: 0o100644 }), 'EEXIST');
  const exclusive = OpenFlags.readWrite | OpenFlags.exclusive;
  await refuses(root.create('docs/readme.txt', { flags: exclusive }), 'EEXIST');
  const file = await root.walk('docs/readme.txt');
  await refuses(root.link(file, 'docs/README.txt'), 'EEXIST');
  await root.writeFile('docs/readme.txt', utf8('written'));
  expect(text(await root.readFile('Docs/ReadMe.TXT'))).toBe('written');
  expect(readdirSync(join(path, 'Docs'))).toStrictEqual(['ReadMe.TXT']);
  expect(readdirSync(path)).toStrictEqual(['Docs']);
});

test('renaming replaces what is found, or changes the case of a name; removing removes what is found', async () => {
  const { root } = served;
  await root.writeFile('new', utf8('new'));
  await root.renameat('NEW', 'docs/README.txt');
  expect(readdirSync(join(path, 'Docs'))).toStrictEqual(['ReadMe.TXT']);
  expect(text(await root.readFile('docs/readme.txt'))).toBe('new');
  await root.renameat('docs/readme.txt', 'docs/README.txt');
  expect(readdirSync(join(path, 'Docs'))).toStrictEqual(['README.txt']);
  const node = await root.walk('docs/readme.TXT');
  await node.rename(await root.walk('DOCS'), 'readme.txt');
  expect(readdirSync(join(path, 'Docs'))).toStrictEqual(['readme.txt']);
  await root.unlink('DOCS/README.TXT');
  await root.unlink('docs', { directory: true });
  expect(readdirSync(path)).toStrictEqual([]);
});

test('a look at a whole directory leaves nothing open', async () => {
  for (let i = 0; i < 3000; i++) writeFileSync(join(path, `file-${i}`), '');
  const { root } = served;
  await (await root.walk('FILE-2999')).clunk();
  await refuses(root.walk('FILE-3000'), 'ENOENT');
  expect(descriptorsInto(path)).toStrictEqual([path]);
});
