import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Random } from '../../test/random.ts';
import { compress } from '../synth/compress.ts';
import { CorruptData } from './bits.ts';
import { type Compression, compressions, decompressDump } from './decompress.ts';
import { decompressLz4 } from './lz4.ts';
import { decompressLzo } from './lzo.ts';
import { decompress842 } from './nx842.ts';

const folder = fileURLToPath(new URL('../../test/data/compressed/', import.meta.url));
const vectors = readdirSync(folder).filter((name) => name.includes('.'));
const decompressors = {
  lz4: decompressLz4,
  'lz4-hc': decompressLz4,
  lzo: decompressLzo,
  'lzo-rle': decompressLzo,
  842: decompress842,
};

const dice = new Random(3);
const samples = [
  '',
  'a',
  'abcdefghijklmnop',
  'x'.repeat(1000),
  dice.log(300),
  dice.log(20_000),
  Buffer.from(dice.bytes(3000)).toString('latin1'),
  '\0'.repeat(70) + dice.log(500) + '\0'.repeat(5000),
].map((body) => Buffer.from(`Panic#1 Part1\n${body}`, 'latin1'));

describe('what compressors of the kernel wrote', () => {
  it.each(vectors)('%s', (name) => {
    const [plain = '', kind = ''] = name.split('.');
    const expected = readFileSync(folder + plain);
    const decompressor = decompressors[kind as keyof typeof decompressors];
    expect(
      Buffer.from(decompressor(readFileSync(folder + name), expected.length + 16)).equals(expected),
    ).toBe(true);
  });
});

describe('what our writer wrote', () => {
  it.each(compressions)('%s is recognised and read', (compression) => {
    for (const sample of samples) {
      const read = decompressDump(compress(compression, sample), 60_000);
      expect(read?.compression).toBe(compression);
      expect(Buffer.from(read?.data ?? []).equals(sample), `${sample.length} bytes`).toBe(true);
    }
  });
});

describe('hostile input', () => {
  it.each(compressions)(
    '%s: damaged, cut off, or of anything at all, it is read or refused',
    (compression) => {
      const streams = samples.map((sample) => compress(compression, sample));
      for (let round = 0; round < 1500; round++) {
        const stream =
          dice.below(10) === 0 ? dice.bytes(dice.below(200)) : Uint8Array.from(dice.pick(streams));
        for (let flips = dice.below(4); flips > 0; flips--)
          stream[dice.below(stream.length)] = dice.below(256);
        const cut = dice.below(3) === 0 ? stream.subarray(0, dice.below(stream.length + 1)) : stream;
        const read = decompressDump(cut, 4000, compression);
        expect(read === undefined || read.data.length <= 10_000).toBe(true);
      }
    },
  );

  it.each<[Compression, number[], string]>([
    ['lzo', [], 'nothing'],
    ['lzo', [17, 1, 0, 0, 0], 'a version and nothing that ends'],
    ['lzo', [18, 65, 0x21, 4, 0, 0x11, 0, 0], 'a copy from before the beginning'],
    ['lzo', [18, 65, 0x11, 0, 0, 0], 'bytes behind the end'],
    ['lzo', [18, 65, 0x12, 0, 0], 'an end of another length'],
    ['lz4', [], 'nothing'],
    ['lz4', [0x10, 65, 0, 0, 0], 'a distance of 0'],
    ['lz4', [0xf0, 255, 255], 'a length that does not end'],
    ['842', [0xd8, 0], 'a repetition of nothing'],
    ['842', [0xe8, 0], 'short data of no bytes'],
    ['842', [0xf8, 0], 'an operation that is none'],
    ['842', [0xf0, 0, 0, 0, 8], 'a wrong checksum'],
    ['zstd', [0x28, 0xb5, 0x2f, 0xfd], 'a header that ends'],
    ['zstd', [0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0xff, 0xff, 0xff, 0x7f], 'a size of gigabytes'],
  ])('%s refuses %j: %s', (compression, bytes) => {
    expect(decompressDump(Uint8Array.from(bytes), 4000, compression)).toBeUndefined();
  });

  it('what is refused carries no stack', () => {
    try {
      decompressLzo(new Uint8Array(0), 10);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(CorruptData);
      expect((error as Error).stack).toBe('CorruptData: there is nothing');
    }
  });
});
