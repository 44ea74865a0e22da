import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { promised } from '../../test/promised.ts';
import { streamPair } from '../../test/stream-pair.ts';
import { Client } from '../client/client.ts';
import type { RemoteNode } from '../client/remote-node.ts';
import type { FileSystem } from '../filesystem.ts';
import { MemoryFileSystem } from '../memory/memory-file-system.ts';
import { serve } from '../server/serve.ts';
import { OpenFlags } from '../wire/flags.ts';
import { readOnly } from './read-only.ts';

const utf8 = (value: string) => new TextEncoder().encode(value);

async function mount(fs: FileSystem) {
  const [ours, theirs] = streamPair();
  const connection = serve(theirs, fs);
  const client = await Client.connect({ stream: ours });
  const end = async () => {
    client.close();
    await connection.ended;
  };
  return { root: await client.attach(), end };
}

/** Everything there is, as far as a client can see it. */
async function snapshot(directory: RemoteNode, path = ''): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const { name, type, qid } of directory.readdir(path)) {
    if (['.', '..'].includes(String(name))) continue;
    const at = path === '' ? String(name) : `${path}/${name}`;
    found.push([at, await directory.getattr(at), qid.path, await directory.listxattr(at)]);
    if (type === 4) found.push(...(await snapshot(directory, at)));
    if (type === 8) found.push(await directory.readFile(at));
    if (type === 10) found.push(String(await directory.readlink(at)));
  }
  return found;
}

const sample = () => new MemoryFileSystem({ tree: { file: 'content', folder: { deep: { other: 'x' } } } });

/** Each is a change, if it is allowed and possible. */
const changes: Record<string, (root: RemoteNode, path: string, other: string) => Promise<unknown>> = {
  create: (root, path) => root.create(path),
  'open for writing': (root, path) => root.open(path, { flags: OpenFlags.writeOnly }),
  'open for both': (root, path) => root.open(path, { flags: OpenFlags.readWrite }),
  truncate: (root, path) => root.open(path, { flags: OpenFlags.readOnly | OpenFlags.truncate }),
  mkdir: (root, path) => root.mkdir(path),
  symlink: (root, path) => root.symlink('target', path),
  mknod: (root, path) => root.mknod(path, { mode: 0o10644 }),
  link: async (root, path, other) => root.link(await root.walk(other), path),
  renameat: (root, path, other) => root.renameat(path, other),
  rename: async (root, path, other) => (await root.walk(path)).rename(root, other.replaceAll('/', ' ')),
  unlink: (root, path) => root.unlink(path),
  'unlink a directory': (root, path) => root.unlink(path, { directory: true }),
  remove: async (root, path) => (await root.walk(path)).remove(),
  chmod: (root, path) => root.setattr(path, { mode: 0o600 }),
  'set a size': (root, path) => root.setattr(path, { size: 1 }),
  touch: (root, path) => root.setattr(path, { mtime: 'now' }),
  setxattr: (root, path) => root.setxattr(path, 'user.a', utf8('value')),
  removexattr: (root, path) => root.removexattr(path, 'user.kept'),
};

describe('readOnly', () => {
  test.each(Object.keys(changes))('%s is EROFS', async (name) => {
    const { root, end } = await mount(readOnly(sample()));
    const change = changes[name] as (typeof changes)[string];
    const path = ['create', 'mkdir', 'symlink', 'mknod', 'link'].includes(name) ? 'new' : 'file';
    await expect(change(root, path, 'folder/deep/other')).rejects.toMatchObject({ code: 'EROFS' });
    await end();
  });

  test('a write through a fid that was opened for reading is EROFS', async () => {
    const { root, end } = await mount(readOnly(sample()));
    const file = await root.open('file', { flags: OpenFlags.readOnly });
    await expect(file.write(utf8('x'), 0)).rejects.toMatchObject({ code: 'EROFS' });
    await end();
  });

  test('everything is read as it is, and what changes below is seen', async () => {
    const fs = sample();
    const direct = await mount(fs);
    await direct.root.symlink('file', 'link');
    await direct.root.setxattr('file', 'user.kept', utf8('value'));
    const view = await mount(readOnly(fs));
    expect(await snapshot(view.root)).toEqual(await snapshot(direct.root));
    expect(await view.root.getxattr('file', 'user.kept')).toEqual(utf8('value'));
    expect(await view.root.statfs()).toEqual(await direct.root.statfs());
    await direct.root.writeFile('folder/new', utf8('later'));
    expect(await view.root.readFile('folder/new')).toEqual(utf8('later'));
    await Promise.all([view.end(), direct.end()]);
  });

  test('no sequence of attempts changes anything', async () => {
    const path = fc.constantFrom('file', 'folder', 'folder/deep', 'folder/deep/other', 'new', 'folder/new');
    const attempts = fc.array(fc.tuple(fc.constantFrom(...Object.keys(changes)), path, path), {
      maxLength: 30,
    });
    const property = fc.asyncProperty(attempts, fc.boolean(), async (sequence, isLate) => {
      const fs = sample();
      const direct = await mount(fs);
      await direct.root.setxattr('file', 'user.kept', utf8('value'));
      const before = await snapshot(direct.root);
      const view = await mount(readOnly(isLate ? promised(fs) : fs));
      for (const [name, at, other] of sequence) {
        await expect((changes[name] as (typeof changes)[string])(view.root, at, other)).rejects.toMatchObject(
          {
            code: expect.stringMatching(/^(EROFS|ENOENT)$/),
          },
        );
      }
      expect(await snapshot(direct.root)).toEqual(before);
      await Promise.all([view.end(), direct.end()]);
    });
    await fc.assert(property, { numRuns: 60 });
  });

  test('what the filesystem does not have, it does not have either', () => {
    const least = { attach() {}, walk() {}, getattr() {}, open() {}, read() {}, readdir() {} };
    const view = readOnly(least as unknown as FileSystem);
    for (const method of ['retain', 'release', 'close', 'statfs', 'readlink', 'fsync', 'lock', 'getxattr']) {
      expect(Object.hasOwn(view, method), method).toBe(false);
    }
  });
});
