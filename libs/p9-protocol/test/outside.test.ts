import { execFileSync, spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { entriesOf, refuses, text, utf8 } from '../src/conformance/check.ts';
import { scratchDirectory } from './scratch-directory.ts';
import { type ServedClient, serveHostToClient } from './served.ts';

/* What the README says of the ways in which a directory can have something to do with what is outside of it. */

const open: ServedClient[] = [];

afterEach(async () => {
  for (const served of open.splice(0)) await served.end();
});

async function served(root: string): Promise<ServedClient> {
  const made = await serveHostToClient('stream', { root });
  open.push(made);
  return made;
}

/** `root` is served; `outside` is beside it. */
function stage(): { root: string; outside: string } {
  const base = scratchDirectory();
  const [root, outside] = [join(base, 'root'), join(base, 'outside')];
  mkdirSync(join(root, 'd', 'sub'), { recursive: true });
  writeFileSync(join(root, 'd', 'sub', 'file'), 'inside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'secret');
  return { root, outside };
}

describe('a directory that the host moves out of the served one', () => {
  test('is followed by those who hold it, and leads nowhere else', async () => {
    const { root: path, outside } = stage();
    const { root } = await served(path);
    const held = await root.walk('d/sub');
    const file = await held.open('file', { flags: 2 });
    const secret = statSync(join(outside, 'secret'), { bigint: true });
    renameSync(join(path, 'd'), join(outside, 'd'));
    // What is held is what it was, wherever it lies by now.
    expect(text(await held.readFile('file'))).toBe('inside');
    await file.write(utf8('INSIDE'), 0);
    expect(await entriesOf(held)).toStrictEqual(['file']);
    // There is no way up, and by its name nobody finds it any more.
    for (const names of [['..'], ['..', '..', 'secret'], ['../../secret'], ['.']]) {
      await refuses(held.walk(names), 'EINVAL');
    }
    await refuses(root.walk('d'), 'ENOENT');
    await refuses(held.renameat('file', ['..', 'file']), 'EINVAL');
    // It can be emptied into the served directory, not the other way round.
    await held.renameat('file', 'file');
    await (await held.walk('file')).rename(root, 'back');
    expect(readFileSync(join(path, 'back'), 'utf8')).toBe('INSIDE');
    expect(statSync(join(outside, 'secret'), { bigint: true })).toStrictEqual(secret);
    expect(readdirSync(outside).sort()).toStrictEqual(['d', 'secret']);
  });

  test('in the middle of a walk: the steps behind it go on in the directory that was found', async () => {
    const { root: path, outside } = stage();
    const { root } = await served(path);
    const first = await root.walk('d');
    renameSync(join(path, 'd'), join(outside, 'd'));
    mkdirSync(join(path, 'd'));
    const rest = await first.walk('sub/file');
    expect(text(await rest.readFile())).toBe('inside');
    await refuses(root.walk('d/sub'), 'ENOENT');
  });
});

test('a hard link to a file outside is a file of the directory; a client can make none', async () => {
  const { root: path, outside } = stage();
  linkSync(join(outside, 'secret'), join(path, 'shared'));
  const { root } = await served(path);
  // The host has put it there: whoever may read the directory may read it.
  expect(text(await root.readFile('shared'))).toBe('secret');
  const node = await root.walk('shared');
  await root.link(node, 'd/again');
  for (const name of ['../outside/secret', '/etc/passwd', '..', '']) {
    await refuses(root.link(node, [name]), 'EINVAL');
    await refuses(root.walk([name, 'x']), 'EINVAL');
  }
  expect(statSync(join(outside, 'secret')).nlink).toBe(3);
});

test('magic links of /proc are symlinks like any other: text that is not followed', async () => {
  const { outside } = stage();
  const { root } = await served('/proc/self');
  const cwd = process.cwd();
  expect(String(await root.readlink('cwd'))).toBe(cwd);
  const links = ['root', 'cwd', 'exe', 'fd/0', 'ns/net'];
  for (const link of links) {
    const node = await root.walk(link);
    expect((await node.getattr()).mode & 0o170000, link).toBe(0o120000);
    await refuses(root.walk(`${link}/etc`), 'ENOTDIR', 'ENOENT');
    await refuses(node.open(), 'ELOOP');
    await refuses(root.readFile(`${link}${outside}/secret`), 'ENOTDIR', 'ENOENT');
    await refuses(root.create(`${link}/new`), 'ENOTDIR', 'ENOENT');
    await node.clunk();
  }
});

test('what is mounted below the directory is served with it, and its files have numbers of their own', () => {
  // In a mount namespace of its own: this machine's mounts are left alone.
  const program = fileURLToPath(new URL('./fixtures/mounts.ts', import.meta.url));
  const flags = ['--conditions=@vm-tools/source', '--disable-warning=ExperimentalWarning'];
  const { status, stdout, stderr } = spawnSync('unshare', ['-m', process.execPath, ...flags, program], {
    encoding: 'utf8',
  });
  expect(stderr, 'needs root and mount namespaces: run the tests as root').toBe('');
  expect({ status, stdout }).toStrictEqual({ status: 0, stdout: 'mounted, seen, unmounted\n' });
  expect(execFileSync('cat', ['/proc/self/mounts'], { encoding: 'utf8' })).not.toContain('p9-mounts');
});
