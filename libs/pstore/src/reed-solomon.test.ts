import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReedSolomon } from './reed-solomon.ts';

/** Of an empty zone in `wrap-ecc`, one of the real regions: what stands at its end for its header. */
const EMPTY_HEADER_PARITY = 'aa25d52132e2353a385519c02bcbad5f';

/** Data followed by their parity. */
function encoded(code: ReedSolomon, data: Uint8Array): Uint8Array {
  const word = new Uint8Array(data.length + code.parity);
  word.set(data);
  code.encode(data, 0, data.length, word, data.length);
  return word;
}

function damaged(word: Uint8Array, errors: ReadonlyMap<number, number>): Uint8Array {
  return word.map((byte, at) => byte ^ (errors.get(at % word.length) ?? 0));
}

const arbitraryWord = fc
  .record({ parity: fc.integer({ min: 1, max: 127 }), data: fc.uint8Array({ minLength: 1, maxLength: 128 }) })
  .chain(({ parity, data }) =>
    fc.record({
      parity: fc.constant(parity),
      data: fc.constant(data),
      places: fc.uniqueArray(fc.nat(data.length + parity - 1), { maxLength: Math.floor(parity / 2) }),
      errors: fc.array(fc.integer({ min: 1, max: 255 }), { minLength: 64, maxLength: 64 }),
    }),
  );

describe('the code of ramoops', () => {
  it('has the parity that a real kernel wrote', () => {
    const parity = new Uint8Array(16);
    new ReedSolomon(16).encode(
      Uint8Array.from([0x44, 0x42, 0x47, 0x43, 0, 0, 0, 0, 0, 0, 0, 0]),
      0,
      12,
      parity,
      0,
    );
    expect(Buffer.from(parity).toString('hex')).toBe(EMPTY_HEADER_PARITY);
  });

  it('puts right as many wrong bytes as half its parity, wherever they are', () => {
    fc.assert(
      fc.property(arbitraryWord, ({ parity, data, places, errors }) => {
        const code = new ReedSolomon(parity);
        const word = encoded(code, data);
        const wrong = damaged(word, new Map(places.map((place, index) => [place, errors[index] as number])));
        expect(code.correct(wrong)).toBe(places.length);
        expect(wrong).toEqual(word);
      }),
      { numRuns: 60 },
    );
  });

  it('sees any wrong byte', () => {
    const code = new ReedSolomon(16);
    const data = Uint8Array.from({ length: 128 }, (_, index) => index * 7);
    const word = encoded(code, data);
    for (let at = 0; at < word.length; at++) {
      const wrong = damaged(word, new Map([[at, 1]]));
      expect(code.matches(wrong, 0, 128, wrong, 128), `byte ${at}`).toBe(false);
    }
    expect(code.matches(word, 0, 128, word, 128)).toBe(true);
  });

  it('leaves alone what it cannot put right', () => {
    const code = new ReedSolomon(16);
    const word = encoded(code, new Uint8Array(128).fill(0x41));
    const wrong = damaged(word, new Map(Array.from({ length: 9 }, (_, index) => [index * 3, index + 1])));
    const before = wrong.slice();
    expect(code.correct(wrong)).toBe(-1);
    expect(wrong).toEqual(before);
  });

  it('whatever it takes for right is a codeword', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 60 }), (word) => {
        const code = new ReedSolomon(4);
        if (code.correct(word) < 0) return;
        expect(code.matches(word, 0, word.length - 4, word, word.length - 4)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
