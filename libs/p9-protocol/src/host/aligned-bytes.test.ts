import { writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { close, constants, pageOffset, socketpair } from '@vm-tools/linux';
import { expect, test } from 'vitest';
import { scratchDirectory } from '../../test/scratch-directory.ts';
import { Client } from '../client/client.ts';
import { OpenFlags } from '../wire/flags.ts';
import { alignedBytes } from './aligned-bytes.ts';
import { type HostFile, HostFileSystem } from './host-file-system.ts';
import { servePolled } from './serve-polled.ts';

test.each([1, 64, 8192, 65_536, 1 << 21])('%i bytes begin at a multiple of 64', (length) => {
  for (let i = 0; i < 10; i++) {
    const bytes = alignedBytes(length);
    expect(bytes).toHaveLength(length);
    expect(pageOffset(bytes) % 64).toBe(0);
  }
});

/** Notes how far behind a multiple of 64 files are read to and written from. */
class Noting extends HostFileSystem {
  readonly reads: number[] = [];
  readonly writes: number[] = [];

  override read(file: HostFile, offset: number, buffer: Uint8Array, start: number, count: number): number {
    this.reads.push(pageOffset(buffer.subarray(start)) % 64);
    return super.read(file, offset, buffer, start, count);
  }

  override write(file: HostFile, offset: number, buffer: Uint8Array, start: number, count: number): number {
    this.writes.push(pageOffset(buffer.subarray(start)) % 64);
    return super.write(file, offset, buffer, start, count);
  }
}

test('data goes from file to reply, and from request to file, at multiples of 64', async () => {
  const root = scratchDirectory();
  writeFileSync(join(root, 'file'), Buffer.alloc(200_000, 7));
  const fs = new Noting({ root });
  const [ours, theirs] = socketpair(constants.AF_UNIX, constants.SOCK_STREAM);
  const ended = servePolled(theirs, fs);
  const client = await Client.connect({ stream: new Socket({ fd: ours }), msize: 65_536 });
  const file = await (await client.attach()).open('file', { flags: OpenFlags.readWrite });
  for (let i = 0; i < 5; i++) {
    // At once, so that replies follow one another in one buffer.
    await Promise.all([0, 4096, 50_000].map((offset) => file.read(offset, 10_001)));
    await file.write(new Uint8Array(5000 + i), 0);
  }
  client.close();
  await ended;
  close(theirs);
  fs[Symbol.dispose]();
  expect(new Set(fs.reads)).toEqual(new Set([0]));
  expect(fs.reads).toHaveLength(15);
  expect(new Set(fs.writes)).toEqual(new Set([0]));
});
