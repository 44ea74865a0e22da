import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { promised } from '../../test/promised.ts';
import { streamPair } from '../../test/stream-pair.ts';
import { Client } from '../client/client.ts';
import type { RemoteNode } from '../client/remote-node.ts';
import { describeFileSystem } from '../conformance/index.ts';
import type { AttachRequest, FileNode, FileSystem } from '../filesystem.ts';
import { MemoryFileSystem } from '../memory/memory-file-system.ts';
import { serve } from '../server/serve.ts';
import { OpenFlags } from '../wire/flags.ts';
import { Qid, QidType } from '../wire/qid.ts';
import { ComposedFileSystem } from './composed-file-system.ts';

async function mount(fs: FileSystem, aname = '') {
  const [ours, theirs] = streamPair();
  const connection = serve(theirs, fs as FileSystem);
  const client = await Client.connect({ stream: ours });
  const root = await client.attach({ aname });
  const end = async () => {
    client.close();
    await connection.ended;
  };
  return { client, root, end };
}

async function serveMember(member: FileSystem) {
  return mount(new ComposedFileSystem({ other: new MemoryFileSystem(), 'deep/er': member }), 'deep/er');
}

const runner = { describe, test };
describeFileSystem('MemoryFileSystem, composed', () => serveMember(new MemoryFileSystem()), runner);
describeFileSystem(
  'a filesystem of promises, composed',
  () => serveMember(promised(new MemoryFileSystem())),
  runner,
);
describeFileSystem(
  'a composition in a composition',
  () =>
    mount(new ComposedFileSystem({ a: new ComposedFileSystem({ a: new MemoryFileSystem() }) }), 'a').then(
      async ({ client, root, end }) => ({ client, root: await root.walk('a'), end }),
    ),
  runner,
);

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const utf8 = (value: string) => new TextEncoder().encode(value);

async function names(directory: RemoteNode, path = ''): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of directory.readdir(path)) found.push(String(name));
  return found;
}

const sample = () =>
  new ComposedFileSystem({
    projects: new MemoryFileSystem({ tree: { 'a.txt': 'A', folder: { 'b.txt': 'B' } } }),
    'home/notes': new MemoryFileSystem({ tree: { 'a.txt': 'note' } }),
    'home/mail': promised(new MemoryFileSystem({ tree: { inbox: {} } })),
  });

describe('ComposedFileSystem', () => {
  test('shows the filesystems under their paths', async () => {
    const { root, end } = await mount(sample());
    expect(await names(root)).toEqual(['.', '..', 'projects', 'home']);
    expect(await names(root, 'home')).toEqual(['.', '..', 'notes', 'mail']);
    expect(await names(root, 'home/mail')).toEqual(['.', '..', 'inbox']);
    expect(text(await root.readFile('projects/folder/b.txt'))).toBe('B');
    expect(text(await root.readFile('home/notes/a.txt'))).toBe('note');
    await end();
  });

  test('an aname leads to a directory of it, and nowhere else', async () => {
    const { client, end } = await mount(sample());
    for (const [aname, expected] of [
      ['', 'projects'],
      ['/', 'projects'],
      ['/home/', 'notes'],
      ['home/notes', 'a.txt'],
    ] as const) {
      expect(await names(await client.attach({ aname }))).toContain(expected);
    }
    for (const aname of ['home/none', 'projects/folder', '..', 'projects/..']) {
      await expect(client.attach({ aname })).rejects.toMatchObject({ code: 'ENOENT' });
    }
    await end();
  });

  test('passes on who attaches, by whichever way', async () => {
    const seen: AttachRequest[] = [];
    class Watched extends MemoryFileSystem {
      override attach(request?: AttachRequest) {
        if (request !== undefined) seen.push(request);
        return super.attach();
      }
    }
    const { client, end } = await mount(new ComposedFileSystem({ 'a/b': new Watched() }));
    const root = await client.attach({ uname: 'ann', nUname: 1000 });
    await (await root.walk('a/b')).clunk();
    await client.attach({ uname: 'ben', nUname: 1001, aname: 'a/b' });
    expect(seen).toEqual([
      { uname: 'ann', nUname: 1000, aname: '' },
      { uname: 'ben', nUname: 1001, aname: '' },
    ]);
    await end();
  });

  test('its own directories cannot be changed', async () => {
    const { root, end } = await mount(sample());
    const file = await root.walk('projects/a.txt');
    for (const [code, attempt] of [
      ['EROFS', () => root.mkdir('new')],
      ['EROFS', () => root.writeFile('new', utf8('x'))],
      ['EROFS', () => root.symlink('x', 'home/new')],
      ['EROFS', () => root.setattr('home', { mode: 0o777 })],
      ['EROFS', () => root.setxattr('home', 'user.a', utf8('x'))],
      ['EEXIST', () => root.mkdir('projects')],
      ['EEXIST', () => root.mkdir('home/notes')],
      ['EBUSY', () => root.unlink('projects', { directory: true })],
      ['EBUSY', () => root.unlink('home', { directory: true })],
      ['ENOENT', () => root.unlink('none')],
      ['EBUSY', () => root.renameat('projects', 'moved')],
      ['ENOENT', () => root.renameat('none', 'moved')],
      ['EISDIR', () => root.open('home', { flags: OpenFlags.writeOnly })],
      ['EXDEV', () => root.link(file, 'home/a.txt')],
    ] as const) {
      await expect(attempt(), `${code} by ${attempt}`).rejects.toMatchObject({ code });
    }
    for (const path of ['', 'home', 'projects']) {
      const node = await root.walk(path);
      await expect(node.remove(), path).rejects.toMatchObject({ code: 'EBUSY' });
    }
    expect(await names(root)).toEqual(['.', '..', 'projects', 'home']);
    await end();
  });

  test('its own directories have attributes, a status, and no extended attributes', async () => {
    const { root, end } = await mount(sample());
    expect(await root.getattr()).toMatchObject({ mode: 0o40555, nlink: 4, qid: { type: QidType.directory } });
    expect(await root.statfs('home')).toMatchObject({ blocks: 0n, nameLength: 255 });
    expect(await root.listxattr('home')).toEqual([]);
    await expect(root.getxattr('home', 'user.a')).rejects.toMatchObject({ code: 'ENODATA' });
    await expect(root.readlink('home')).rejects.toMatchObject({ code: 'EINVAL' });
    await end();
  });

  test('nothing is moved or linked from one filesystem to another', async () => {
    const { root, end } = await mount(sample());
    const file = await root.walk('projects/a.txt');
    const code = 'EXDEV';
    await expect(root.renameat('projects/a.txt', 'home/notes/c')).rejects.toMatchObject({ code });
    await expect(root.renameat('projects/a.txt', 'home/c')).rejects.toMatchObject({ code });
    await expect(root.link(file, 'home/notes/c')).rejects.toMatchObject({ code });
    await root.link(file, 'projects/folder/c');
    await root.renameat('projects/a.txt', 'projects/folder/a');
    expect(await names(root, 'projects/folder')).toEqual(['.', '..', 'b.txt', 'c', 'a']);
    await end();
  });

  test('a status is that of the filesystem in which a file is', async () => {
    const small = new MemoryFileSystem({ maxBytes: 1 << 20 });
    const large = new MemoryFileSystem({ maxBytes: 1 << 24 });
    const { root, end } = await mount(new ComposedFileSystem({ small, large }));
    const size = async (path: string) => {
      const { blocks, blockSize } = await root.statfs(path);
      return Number(blocks) * blockSize;
    };
    expect([await size('small'), await size('large'), await size('')]).toEqual([1 << 20, 1 << 24, 0]);
    await end();
  });

  test('a listing gives the qids that a walk gives, and .. leads out of a mounted filesystem', async () => {
    const { root, end } = await mount(sample());
    for (const path of ['', 'home', 'projects', 'projects/folder', 'home/mail', 'home/notes']) {
      const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
      for await (const { name, qid } of root.readdir(path)) {
        const target = String(name) === '.' ? path : String(name) === '..' ? parent : `${path}/${name}`;
        const node = await root.walk(target);
        expect(qid.path, `${name} in /${path}`).toBe(node.qid.path);
        await node.clunk();
      }
    }
    await end();
  });

  test('a long listing goes on behind any entry, also while filesystems come and go', async () => {
    const fs = new ComposedFileSystem();
    for (let index = 0; index < 300; index++) fs.mount(`fs ${index}`, new MemoryFileSystem());
    const { root, end } = await mount(fs);
    const directory = await root.open('');
    const listing = directory.readdir();
    const found: string[] = [];
    for await (const { name } of listing) {
      found.push(String(name));
      if (found.length === 10) {
        await fs.unmount('fs 7');
        await fs.unmount('fs 250');
      }
    }
    // What the server had sent already is still listed.
    expect(new Set(found).size).toBe(found.length);
    const again = await names(root);
    expect(again.length).toBe(2 + 298);
    expect(again).not.toContain('fs 250');
    for await (const { next, name } of directory.readdir(5n)) {
      expect([next, String(name)]).toEqual([6n, 'fs 3']);
      break;
    }
    await directory.clunk();
    await end();
  });

  test.each(['', '/', '//', '.', '..', 'a/../b', 'a\0b', 'n'.repeat(256)])('cannot mount at %j', (path) => {
    const fs = new ComposedFileSystem();
    expect(() => fs.mount(path, new MemoryFileSystem())).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  test.each([
    ['a/b', 'a filesystem is mounted at "a/b"'],
    ['a/b/c', 'a filesystem is mounted at "a/b"'],
    ['a', 'filesystems are mounted below it'],
  ])('cannot mount at %s when something is mounted at a/b', (path, why) => {
    const fs = new ComposedFileSystem({ 'a/b': new MemoryFileSystem() });
    expect(() => fs.mount(path, new MemoryFileSystem())).toThrow(`EEXIST: ${JSON.stringify(path)}: ${why}`);
    expect(() => fs.unmount('a')).toThrow('ENOENT');
    expect(() => fs.unmount('a/b/c')).toThrow('ENOENT');
  });
});

describe('unmounting', () => {
  test('takes the name away, and the directories that led to nothing else', async () => {
    const fs = sample();
    const { root, end } = await mount(fs);
    const before = await root.getattr();
    await fs.unmount('home/notes');
    expect(await names(root, 'home')).toEqual(['.', '..', 'mail']);
    await fs.unmount('home/mail');
    expect(await names(root)).toEqual(['.', '..', 'projects']);
    await expect(root.walk('home')).rejects.toMatchObject({ code: 'ENOENT' });
    expect((await root.getattr()).qid.version).not.toBe(before.qid.version);
    await end();
  });

  test('makes what clients hold stale, and lets go of it without them', async () => {
    const counted = new CountedFileSystem({ tree: { folder: { file: 'content' } } });
    const fs = new ComposedFileSystem({ a: counted });
    const { client, root, end } = await mount(fs);
    const directory = await root.walk('a/folder');
    const file = await root.open('a/folder/file', { flags: OpenFlags.readWrite });
    await fs.unmount('a');
    expect(counted.inUse).toEqual({ nodes: 0, files: 0 });
    for (const attempt of [
      () => directory.getattr(),
      () => directory.walk('file'),
      () => directory.mkdir('new'),
      () => directory.statfs(),
      () => directory.listxattr(),
      () => file.read(0, 1),
      () => file.write(utf8('x'), 0),
    ]) {
      await expect(attempt(), String(attempt)).rejects.toMatchObject({ code: 'ESTALE' });
    }
    fs.mount('a', new MemoryFileSystem({ tree: { folder: {} } }));
    const fresh = await root.walk('a/folder');
    expect(fresh.qid.path).not.toBe(directory.qid.path);
    await expect(directory.getattr()).rejects.toMatchObject({ code: 'ESTALE' });
    await Promise.all([file.clunk(), directory.clunk(), fresh.clunk()]);
    expect(client.fidsInUse).toBe(1);
    expect(counted.inUse).toEqual({ nodes: 0, files: 0 });
    await end();
  });

  test('waits for what is pending, which is answered', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    class Slow extends CountedFileSystem {
      override read(...args: Parameters<MemoryFileSystem['read']>): never {
        return promise.then(() => super.read(...args)) as never;
      }
    }
    const slow = new Slow({ tree: { file: 'content' } });
    const fs = new ComposedFileSystem({ a: slow });
    const { root, end } = await mount(fs);
    const content = root.readFile('a/file');
    await root.statfs();
    while (slow.inUse.files === 0) await new Promise(setImmediate);
    await root.statfs();
    let isDone = false;
    const unmounted = fs.unmount('a').then(() => {
      isDone = true;
    });
    await root.statfs();
    expect([isDone, slow.inUse.files]).toEqual([false, 1]);
    resolve();
    await unmounted;
    expect(slow.inUse).toEqual({ nodes: 0, files: 0 });
    // Read to the end takes another read, which comes too late.
    await expect(content).rejects.toMatchObject({ code: 'ESTALE' });
    await end();
  });
});

test('a filesystem that throws where nothing can fail is let go of all the same, and unmount tells', async () => {
  class Failing extends CountedFileSystem {
    override close(file: Parameters<MemoryFileSystem['close']>[0]): never {
      super.close(file);
      throw new Error('cannot close');
    }
  }
  const failing = new Failing({ tree: { one: '1', two: '2' } });
  const fs = new ComposedFileSystem({ a: failing });
  const { root, end } = await mount(fs);
  await Promise.all([root.open('a/one'), root.open('a/two')]);
  await expect(fs.unmount('a')).rejects.toThrow('cannot close');
  expect(failing.inUse).toEqual({ nodes: 0, files: 0 });
  await end();
});

/** Counts what it has handed out and not got back. */
class CountedFileSystem extends MemoryFileSystem {
  readonly inUse = { nodes: 0, files: 0 };

  override attach() {
    this.inUse.nodes++;
    return super.attach();
  }
  override walk(...args: Parameters<MemoryFileSystem['walk']>) {
    return this.#counted(super.walk(...args), 'nodes');
  }
  override retain(node: Parameters<MemoryFileSystem['retain']>[0]) {
    this.inUse.nodes++;
    super.retain(node);
  }
  override release(node: Parameters<MemoryFileSystem['release']>[0]) {
    this.inUse.nodes--;
    super.release(node);
  }
  override open(...args: Parameters<MemoryFileSystem['open']>) {
    return this.#counted(super.open(...args), 'files');
  }
  override close(file: Parameters<MemoryFileSystem['close']>[0]) {
    this.inUse.files--;
    super.close(file);
  }

  override create(...args: Parameters<MemoryFileSystem['create']>) {
    const before = this.inUse.files;
    const created = this.#counted(super.create(...args), 'nodes');
    // An existing file was opened by `open`, which has counted it.
    if (typeof created === 'object') this.inUse.files = before + 1;
    return created;
  }

  #counted<T>(outcome: T, what: 'nodes' | 'files'): T {
    if (typeof outcome === 'object') this.inUse[what]++;
    return outcome;
  }
}

/** A tree in which the root's names lead to files with these paths in their qids. */
class QidFileSystem implements FileSystem<FileNode, object> {
  readonly #nodes: readonly FileNode[];
  readonly #root: FileNode;

  constructor(rootPath: bigint, paths: readonly bigint[]) {
    this.#root = { qid: new Qid(QidType.directory, 0, rootPath) };
    this.#nodes = paths.map((path) => ({ qid: new Qid(QidType.file, 0, path) }));
  }

  attach() {
    return this.#root;
  }
  walk(_: FileNode, name: { toString(): string }) {
    return this.#nodes[Number(String(name))] ?? -2;
  }
  getattr() {
    return 0;
  }
  open() {
    return {};
  }
  read() {
    return 0;
  }
  readdir() {
    return 0;
  }
}

test('qids tell files apart, whatever qids the filesystems have', async () => {
  const path = fc.oneof(
    fc.bigInt(0n, 5n),
    fc.bigInt(0n, (1n << 64n) - 1n),
    fc.nat(4).map((n) => BigInt(n) << 48n),
  );
  const members = fc.array(fc.uniqueArray(path, { minLength: 1, maxLength: 8 }), {
    minLength: 1,
    maxLength: 5,
  });
  const property = fc.asyncProperty(members, fc.boolean(), async (paths, isNested) => {
    const fs = new ComposedFileSystem();
    for (const [index, [rootPath = 0n, ...others]] of paths.entries()) {
      const member = new QidFileSystem(rootPath, others);
      fs.mount(`m${index}`, isNested ? new ComposedFileSystem({ in: member }) : member);
    }
    const { root, end } = await mount(fs);
    const seen = new Map<bigint, string>([[root.qid.path, '/']]);
    for (const [index, [, ...others]] of paths.entries()) {
      const base = isNested ? `m${index}/in` : `m${index}`;
      for (const file of [
        ...(isNested ? [`m${index}`] : []),
        base,
        ...others.map((_, at) => `${base}/${at}`),
      ]) {
        const [node, same] = [await root.walk(file), await root.walk(file)];
        expect(same.qid.path).toBe(node.qid.path);
        expect(seen.get(node.qid.path), file).toBe(undefined);
        seen.set(node.qid.path, file);
      }
    }
    await end();
  });
  await fc.assert(property, { numRuns: 200 });
});

type Action = { kind: 'mount' | 'unmount'; which: number } | { kind: 'use' | 'clunk'; which: number };

test('whatever is mounted, unmounted and used meanwhile, everything is given back exactly once', async () => {
  const action: fc.Arbitrary<Action> = fc.record({
    kind: fc.constantFrom('mount', 'unmount', 'use', 'use', 'use', 'clunk'),
    which: fc.nat(2),
  });
  const property = fc.asyncProperty(
    fc.array(action, { maxLength: 40 }),
    fc.boolean(),
    async (actions, isLate) => {
      const fs = new ComposedFileSystem();
      const made: CountedFileSystem[] = [];
      const mounted = new Set<string>();
      const { root, end } = await mount(fs);
      const held: { clunk(): Promise<void> }[] = [];
      const pending: Promise<unknown>[] = [];
      const hold = async (node: Promise<{ clunk(): Promise<void> }>) => {
        held.push(await node);
      };
      for (const { kind, which } of actions) {
        const path = `dir/${which}`;
        if (kind === 'mount' && !mounted.has(path)) {
          const counted = new CountedFileSystem({ tree: { d: { f: 'content' } } });
          made.push(counted);
          mounted.add(path);
          fs.mount(path, isLate ? promised(counted) : counted);
        } else if (kind === 'unmount' && mounted.delete(path)) {
          pending.push(fs.unmount(path));
        } else if (kind === 'use') {
          pending.push(
            hold(root.walk(`${path}/d`)),
            hold(root.open(`${path}/d/f`, { flags: OpenFlags.readOnly })),
            hold(root.create(`${path}/new`)),
            root.readFile(`${path}/d/f`),
            names(root, `${path}/d`),
          );
          // Some of them are still under way when the next action comes.
          await root.statfs();
        } else if (kind === 'clunk') {
          pending.push(...held.splice(0).map((handle) => handle.clunk()));
        }
      }
      const allowed = ['ENOENT', 'ESTALE'];
      for (const outcome of await Promise.allSettled(pending)) {
        if (outcome.status === 'rejected') expect(allowed).toContain(outcome.reason.code);
      }
      await Promise.all([...mounted].map((path) => fs.unmount(path)));
      for (const { inUse } of made) expect(inUse).toEqual({ nodes: 0, files: 0 });
      await end();
      for (const { inUse } of made) expect(inUse).toEqual({ nodes: 0, files: 0 });
    },
  );
  await fc.assert(property, { numRuns: 150 });
});
