import fc from 'fast-check';
import { expect, test } from 'vitest';
import { arbitraryAnyMessage } from '../../test/arbitrary-message.ts';
import { encode } from '../wire/codec.ts';
import { WireError } from '../wire/wire-error.ts';
import { FrameSplitter } from './frame-splitter.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test('finds the same frames however the stream is cut into chunks', () => {
  fc.assert(
    fc.property(
      fc.array(arbitraryAnyMessage, { minLength: 1, maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 30 }),
      (messages, lengths) => {
        const sent = messages.map(encode);
        const stream = new Uint8Array(Buffer.concat(sent));
        const splitter = new FrameSplitter(1 << 20);
        const frames: string[] = [];
        const positions: number[] = [];
        for (let at = 0, chunk = 0; at < stream.length; chunk++) {
          const length = lengths[chunk % lengths.length] as number;
          splitter.push(stream.slice(at, at + length), (frame) => {
            frames.push(hex(frame));
            positions.push(splitter.position);
          });
          at += length;
        }
        expect(frames).toStrictEqual(sent.map(hex));
        let position = 0;
        expect(positions).toStrictEqual(
          sent.map((frame) => {
            position += frame.length;
            return position - frame.length;
          }),
        );
        expect(splitter.unfinished).toBeUndefined();
      },
    ),
    { numRuns: 300 },
  );
});

test('a frame that lies within a chunk is not copied', () => {
  const chunk = encode({ message: 'Rclunk', tag: 1 });
  let frame: Uint8Array | undefined;
  new FrameSplitter(100).push(chunk, (taken) => {
    frame = taken;
  });
  expect(frame?.buffer).toBe(chunk.buffer);
});

test('says how far an unfinished frame got', () => {
  const splitter = new FrameSplitter(100);
  const none = () => expect.fail('no frame is complete');
  splitter.push(new Uint8Array([20, 0]), none);
  expect(splitter.unfinished).toBe('2 of at least 7 bytes');
  splitter.push(new Uint8Array([0, 0, 1]), none);
  expect(splitter.unfinished).toBe('5 of 20 bytes');
});

test.each([0, 6, 101, 0xffffffff])('a size of %i is refused as soon as its four bytes are there', (size) => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, size, true);
  for (const cut of [4, 1, 3]) {
    const splitter = new FrameSplitter(100);
    const run = () => {
      splitter.push(bytes.slice(0, cut), () => expect.fail('no frame'));
      splitter.push(bytes.slice(cut), () => expect.fail('no frame'));
    };
    expect(run).toThrow(WireError);
    expect(run).toThrow(/expected a size from 7 to 100 \(msize\), found/);
  }
});
