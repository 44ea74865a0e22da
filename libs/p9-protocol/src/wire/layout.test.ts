import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arbitraryAnyMessage, arbitraryMessage, messageNames } from '../../test/arbitrary-message.ts';
import { decode, encode } from './codec.ts';
import { endOfFields, isKnownType, isWellFormed, leastSizeOf, offsetsOf } from './layout.ts';
import { type Message, messages } from './messages.ts';

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

test('exactly the types of the table are known', () => {
  const known = new Set<number>(messageNames.map((name) => messages[name][0]));
  for (let type = 0; type < 256; type++) expect(isKnownType(type), `${type}`).toBe(known.has(type));
});

test('the offset of each field, up to the first of variable size', () => {
  expect(offsetsOf('Twalk')).toStrictEqual({ fid: 7, newfid: 11, wnames: 15 });
  expect(offsetsOf('Twrite')).toStrictEqual({ fid: 7, offset: 11, data: 19 });
  expect(offsetsOf('Tlcreate')).toStrictEqual({ fid: 7, name: 11 });
  expect(offsetsOf('Rlopen')).toStrictEqual({ qid: 7, iounit: 20 });
});

test.each(messageNames)('leastSizeOf(%s) is the size of the smallest frame that decodes', (name) => {
  const frame = new Uint8Array(leastSizeOf(name));
  frame[0] = frame.length;
  frame[4] = messages[name][0];
  expect(decode(frame).message).toBe(name);
  const shorter = frame.slice(0, -1);
  shorter[0] = shorter.length;
  expect(() => decode(shorter)).toThrow();
});

describe('isWellFormed', () => {
  const agrees = (bytes: Uint8Array) => {
    const size = bytes.length;
    viewOf(bytes).setUint32(0, size, true);
    let decodes = true;
    try {
      decode(bytes);
    } catch {
      decodes = false;
    }
    // The same frame in the middle of a larger buffer, as the server sees it, with bytes behind it that could be taken for its own.
    const around = new Uint8Array(size + 40).fill(1);
    around.set(bytes, 5);
    expect(isWellFormed(bytes[4] as number, viewOf(around), 5, 5 + size)).toBe(decodes);
    return decodes;
  };

  test('says the same as decode of good frames and of such as are cut, lengthened or changed', () => {
    let good = 0;
    fc.assert(
      fc.property(
        arbitraryAnyMessage,
        fc.option(fc.tuple(fc.nat(), fc.nat(0xff))),
        fc.integer({ min: -5, max: 5 }),
        (message, change, more) => {
          const frame = encode(message);
          const bytes = new Uint8Array(Math.max(7, frame.length + more));
          bytes.set(frame.subarray(0, bytes.length));
          if (change !== null && bytes.length > 7) bytes[7 + (change[0] % (bytes.length - 7))] = change[1];
          if (agrees(bytes)) good++;
        },
      ),
      { numRuns: 10_000, seed: 0x9b2001 },
    );
    expect(good).toBeGreaterThan(500);
  });

  test.each(messageNames)('%s ends where its last field does', (name) => {
    fc.assert(
      fc.property(arbitraryMessage(name), fc.nat(20), (message, behind) => {
        const frame = encode(message as Message);
        const bytes = new Uint8Array(frame.length + behind);
        bytes.set(frame);
        expect(endOfFields(messages[name][0], viewOf(bytes), 0, bytes.length)).toBe(frame.length);
      }),
      { numRuns: 20 },
    );
  });
});
