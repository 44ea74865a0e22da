import { describe, expect, test } from 'vitest';
import { streamPair } from '../../test/stream-pair.ts';
import { Client } from '../client/client.ts';
import { describeFileSystem } from '../conformance/index.ts';
import { serve } from '../server/serve.ts';
import { MemoryFileSystem, type MemoryFileSystemOptions } from './memory-file-system.ts';

async function serveMemory(options?: MemoryFileSystemOptions) {
  const [ours, theirs] = streamPair();
  const connection = serve(theirs, new MemoryFileSystem(options));
  const client = await Client.connect({ stream: ours });
  const root = await client.attach();
  const end = async () => {
    client.close();
    await connection.ended;
  };
  return { client, root, end };
}

describeFileSystem('MemoryFileSystem', () => serveMemory(), { describe, test });

describe('MemoryFileSystem', () => {
  test('begins with a tree of text and bytes', async () => {
    const tree = { 'read me': 'hello', folder: { 'image.bin': Uint8Array.of(1, 2, 255) } };
    const { root, end } = await serveMemory({ tree });
    expect(new TextDecoder().decode(await root.readFile('read me'))).toBe('hello');
    expect([...(await root.readFile('folder/image.bin'))]).toEqual([1, 2, 255]);
    await end();
  });

  test('holds no more bytes than it may, and has room again when files are gone', async () => {
    const { root, end } = await serveMemory({ maxBytes: 1 << 20 });
    const content = new Uint8Array(600_000).fill(7);
    for (let round = 0; round < 5; round++) {
      await root.writeFile('a', content);
      await expect(root.writeFile('b', content)).rejects.toMatchObject({ code: 'ENOSPC' });
      await root.unlink('b');
      await root.unlink('a');
    }
    const { freeBlocks, blocks } = await root.statfs();
    expect(freeBlocks).toEqual(blocks);
    await end();
  });

  test('holds no more files than it may', async () => {
    const { root, end } = await serveMemory({ maxFiles: 3 });
    await root.mkdir('one');
    await root.symlink('one', 'two');
    await expect(root.mkdir('three')).rejects.toMatchObject({ code: 'ENOSPC' });
    await root.unlink('two');
    await root.mkdir('three');
    await end();
  });
});
