import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Client } from '../src/client/client.ts';
import { ComposedFileSystem } from '../src/compose/composed-file-system.ts';
import { readOnly } from '../src/compose/read-only.ts';
import { describeFileSystem } from '../src/conformance/index.ts';
import type { FileSystem } from '../src/filesystem.ts';
import { HostFileSystem } from '../src/host/host-file-system.ts';
import { MemoryFileSystem } from '../src/memory/memory-file-system.ts';
import { serve } from '../src/server/serve.ts';
import { descriptorsInto, scratchDirectory } from './scratch-directory.ts';
import { streamPair } from './stream-pair.ts';

async function mount(fs: FileSystem, aname = '') {
  const [ours, theirs] = streamPair();
  const connection = serve(theirs, fs);
  const client = await Client.connect({ stream: ours });
  const root = await client.attach({ aname });
  const end = async () => {
    client.close();
    await connection.ended;
  };
  return { client, root, end };
}

describeFileSystem(
  'HostFileSystem, composed',
  async () => {
    const host = new HostFileSystem({ root: scratchDirectory() });
    const fs = new ComposedFileSystem({ notes: new MemoryFileSystem(), 'on/disk': host });
    const { client, root, end } = await mount(fs, 'on/disk');
    const endAll = async () => {
      await end();
      host[Symbol.dispose]();
    };
    return { client, root, end: endAll };
  },
  { describe, test },
);

function sample(): string {
  const folder = scratchDirectory();
  mkdirSync(join(folder, 'folder'));
  writeFileSync(join(folder, 'folder', 'file'), 'content');
  return folder;
}

test('a folder that was unmounted is let go of, whatever clients hold', async () => {
  const folder = sample();
  const host = new HostFileSystem({ root: folder });
  const fs = new ComposedFileSystem({ host });
  const { root, end } = await mount(fs);
  const file = await root.open('host/folder/file');
  const directory = await root.walk('host/folder');
  expect(descriptorsInto(folder).length).toBeGreaterThan(1);
  await fs.unmount('host');
  host[Symbol.dispose]();
  expect(descriptorsInto(folder)).toEqual([]);
  await expect(file.readToEnd()).rejects.toMatchObject({ code: 'ESTALE' });
  await expect(directory.walk('file')).rejects.toMatchObject({ code: 'ESTALE' });
  await Promise.all([file.clunk(), directory.clunk()]);
  await end();
});

test('the same folder twice, once to be read only', async () => {
  const host = new HostFileSystem({ root: sample() });
  const fs = new ComposedFileSystem({ live: host, kept: readOnly(host) });
  const { root, end } = await mount(fs);
  await root.writeFile('live/folder/new', new TextEncoder().encode('x'));
  expect(await root.readFile('kept/folder/new')).toEqual(await root.readFile('live/folder/new'));
  await expect(root.unlink('kept/folder/new')).rejects.toMatchObject({ code: 'EROFS' });
  await expect(root.renameat('live/folder/new', 'kept/new')).rejects.toMatchObject({ code: 'EXDEV' });
  const [live, kept] = [await root.getattr('live/folder/file'), await root.getattr('kept/folder/file')];
  expect(live.qid.path).not.toBe(kept.qid.path);
  await end();
  host[Symbol.dispose]();
});
