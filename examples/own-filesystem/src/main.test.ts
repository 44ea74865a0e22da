import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, type RemoteNode } from '@vm-tools/p9-protocol';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Json } from './json-file-system.ts';

const base = mkdtempSync(join(tmpdir(), 'example-json-'));
const path = join(base, 'document.json');
const socket = join(base, '9p.sock');
const start: Json = {
  name: 'demo',
  version: 3,
  nothing: null,
  '..': 'not shown',
  'a/b': 'not shown either',
  servers: [
    { host: 'a.example', ports: [80, 443] },
    { host: 'b.example', ports: [] },
  ],
};

let program: ReturnType<typeof spawn>;
let client: Client;
let root: RemoteNode;

beforeAll(async () => {
  writeFileSync(path, JSON.stringify(start));
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  program = spawn(process.execPath, ['--conditions=@vm-tools/source', main, path, socket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(program.stdout!, 'data')) as [Buffer];
  expect(String(line)).toBe(`mount -t 9p -o trans=unix,version=9p2000.L ${socket} /mnt\n`);
});

beforeEach(async () => {
  client = await Client.connect({ stream: connect(socket) });
  root = await client.attach();
  return () => client.close();
});

afterAll(async () => {
  const exited = once(program, 'exit');
  program.kill('SIGTERM');
  expect((await exited)[0]).toBe(0);
  expect(existsSync(socket)).toBe(false);
  rmSync(base, { recursive: true });
});

async function names(at: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of root.readdir(at)) found.push(String(name));
  return found;
}

const read = async (at: string) => new TextDecoder().decode(await root.readFile(at));
const write = (at: string, text: string) => root.writeFile(at, new TextEncoder().encode(text));

/** The document as it was saved, once `isSo`. */
async function saved(isSo: (document: typeof start & object) => boolean): Promise<unknown> {
  for (;;) {
    const document = JSON.parse(readFileSync(path, 'utf8'));
    if (isSo(document)) return document;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('objects and arrays are directories, and values are files', async () => {
  expect(await names('')).toEqual(['.', '..', 'name', 'version', 'nothing', 'servers']);
  expect(await names('servers')).toEqual(['.', '..', '0', '1']);
  expect(await names('servers/1/ports')).toEqual(['.', '..']);
  expect(await read('name')).toBe('demo\n');
  expect(await read('servers/0/ports/1')).toBe('443\n');
  expect(await read('nothing')).toBe('null\n');
  expect(await root.getattr('servers')).toMatchObject({ mode: 0o40755, size: 2 });
  expect(await root.getattr('name')).toMatchObject({ mode: 0o100644, size: 5 });
  expect(statSync(socket).mode & 0o777).toBe(0o700);
});

test('a written file is a changed value, and is saved', async () => {
  await write('name', '42\n');
  await write('version', '4\n');
  await write('servers/0/ports/0', 'none\n');
  await write('servers/0/ports/2', '8080\n');
  await root.mkdir('servers/0/labels');
  await write('servers/0/labels/role', '"web"\n');
  expect(await saved((document) => JSON.stringify(document).includes('web'))).toMatchObject({
    name: '42',
    version: 4,
    servers: [{ ports: ['none', 443, 8080], labels: { role: 'web' } }, {}],
  });
  expect(await read('servers/0/labels/role')).toBe('web\n');
});

test('what is removed is gone, and a new file of its name is another', async () => {
  await write('temporary', 'one');
  const node = await root.walk('temporary');
  await root.unlink('temporary');
  await expect(node.getattr()).rejects.toMatchObject({ code: 'ENOENT' });
  await write('temporary', 'two');
  expect((await root.getattr('temporary')).qid.path).not.toBe(node.qid.path);
  await expect(node.getattr()).rejects.toMatchObject({ code: 'ENOENT' });
  await root.unlink('temporary');
  await saved((document) => !Object.hasOwn(document, 'temporary'));
});

test.each([
  ['ENOENT', () => read('servers/7')],
  ['ENOENT', () => read('servers/length')],
  ['ENOENT', () => read('constructor')],
  ['ENOTDIR', async () => (await root.walk('name')).walk('x')],
  ['EISDIR', () => write('servers', 'x')],
  ['EISDIR', () => root.unlink('servers')],
  ['ENOTEMPTY', () => root.unlink('servers', { directory: true })],
  ['EBUSY', () => root.unlink('servers/0/ports/0')],
  ['EINVAL', () => write('servers/0/ports/9', '1')],
  ['EEXIST', () => root.mkdir('name')],
  ['EFBIG', () => root.setattr('name', { size: 1 << 30 })],
] as const)('%s by %s', async (code, attempt) => {
  await expect(attempt()).rejects.toMatchObject({ code });
});
