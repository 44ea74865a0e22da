import { constants, deflateRawSync, deflateSync, inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Random } from '../../test/random.ts';
import { CorruptData } from './bits.ts';
import { inflate, inflateZlib } from './inflate.ts';

const LIMIT = 100_000;
const dice = new Random(1);
const text = Buffer.from(dice.log(40_000));
const noise = Buffer.from(dice.bytes(5000));

const { Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE, Z_DEFAULT_STRATEGY } = constants;
const streams = [Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE].flatMap((strategy) =>
  [0, 1, 6, 9].flatMap((level) =>
    [text, noise, Buffer.alloc(3000), Buffer.from('x'), Buffer.alloc(0)].map((data) => ({
      data,
      strategy,
      level,
    })),
  ),
);

/** zlib's answer; undefined where it refuses. */
function byZlib(stream: Uint8Array): Buffer | undefined {
  try {
    return inflateRawSync(stream, { maxOutputLength: LIMIT });
  } catch {
    return undefined;
  }
}

function byUs(stream: Uint8Array): Uint8Array | undefined {
  try {
    return inflate(stream, LIMIT);
  } catch (error) {
    if (error instanceof CorruptData) return undefined;
    throw error;
  }
}

describe('inflate', () => {
  it('reads what zlib writes, by any strategy and at any level', () => {
    for (const { data, strategy, level } of streams) {
      const stream = deflateRawSync(data, { strategy, level, windowBits: 11 });
      expect(Buffer.from(inflate(stream, LIMIT)).equals(data), JSON.stringify({ strategy, level })).toBe(
        true,
      );
    }
  });

  it('takes and refuses the same damaged streams as zlib', () => {
    const sources = streams.map(({ data, strategy, level }) =>
      deflateRawSync(data.subarray(0, 3000), { strategy, level, windowBits: 11 }),
    );
    let taken = 0;
    for (let round = 0; round < 4000; round++) {
      const stream = Buffer.from(dice.pick(sources));
      const places = dice.pick([stream.length, Math.min(stream.length, 100)]);
      for (let flips = 1 + dice.below(3); flips > 0; flips--) {
        const at = dice.below(places);
        stream[at] = (stream[at] as number) ^ (1 << dice.below(8));
      }
      const theirs = byZlib(stream);
      const ours = byUs(stream);
      if (theirs) taken++;
      // Where a stream breaks off within its last byte, the kernel has it read a 0 more.
      if (!theirs && ours && byZlib(Buffer.concat([stream, Buffer.alloc(1)]))?.equals(ours)) continue;
      expect(ours && Buffer.from(ours).toString('hex'), stream.toString('hex')).toBe(theirs?.toString('hex'));
    }
    expect(taken).toBeGreaterThan(100);
  });

  it('refuses whatever is cut off by more than a byte', () => {
    const stream = deflateRawSync(text.subarray(0, 2000));
    for (let length = 0; length < stream.length - 1; length++)
      expect(byUs(stream.subarray(0, length))).toBeUndefined();
  });

  it('gives no more than allowed', () => {
    const stream = deflateRawSync(Buffer.alloc(1000));
    expect(inflate(stream, 1000)).toHaveLength(1000);
    expect(() => inflate(stream, 999)).toThrow('more than allowed');
  });

  it('reads zlib streams too, and only with their header', () => {
    expect(Buffer.from(inflateZlib(deflateSync(text, { windowBits: 12 }), LIMIT)).equals(text)).toBe(true);
    expect(() => inflateZlib(deflateRawSync(text), LIMIT)).toThrow('no zlib header');
  });
});
